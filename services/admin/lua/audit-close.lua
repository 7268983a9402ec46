-- What came of a change: into the log, and to whoever looks. KEYS[1] = {<namespace>:<shard>}:audit. ARGV: clock offset, the
-- change as it was opened, 1 where it is told only if it is still open, the entry as JSON, entries kept, ms kept, then as in
-- bus/lua/lib/publish with an empty payload. Answers the entry's id, or '' where it was told before.
-- @include broker/lua/lib/base
-- @include bus/lua/lib/publish
local STREAM, OPEN, AT = P, P .. ':open', 7
if ARGV[3] == '1' and not redis.call('ZSCORE', OPEN, ARGV[2]) then return '' end
local last = redis.call('XREVRANGE', STREAM, '+', '-', 'COUNT', 1)[1]
local last_ms = last and string.match(last[1], '^%d+') or '0'
-- A clock that goes back must not keep an entry out.
local ms = tonumber(last_ms) > now and last_ms or decimal(now)
local id = redis.call('XADD', STREAM, ms .. '-*', 'e', ARGV[4])
-- Only now: an entry that could not be written stays open.
redis.call('ZREM', OPEN, ARGV[2])
redis.call('XTRIM', STREAM, 'MAXLEN', '=', ARGV[5])
redis.call('XTRIM', STREAM, 'MINID', '=', decimal(now - tonumber(ARGV[6])))
redis.call('PEXPIRE', STREAM, ARGV[6])
local args = {}
for at = AT, #ARGV do args[at] = ARGV[at] end
args[AT + 5] = '{"id":"' .. id .. '",' .. string.sub(ARGV[4], 2)
publish(args, AT)
return id
