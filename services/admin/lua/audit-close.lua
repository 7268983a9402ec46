-- What came of a change: into the log, and to whoever looks. KEYS[1] = {<namespace>:<shard>}:audit. ARGV: clock offset, the
-- change as it was opened ('' = it was not), 1 where it is told only if it was still open, the entry as JSON, entries kept,
-- ms kept, then as in bus/lua/lib/publish with an empty payload. Answers the entry's id, or '' where it was told before.
-- @include broker/lua/lib/base
-- @include bus/lua/lib/publish
local STREAM, AT = KEYS[1], 7
if ARGV[2] ~= '' then
  local was_open = redis.call('ZREM', STREAM .. ':open', ARGV[2]) == 1
  if ARGV[3] == '1' and not was_open then return '' end
end
local last = redis.call('XREVRANGE', STREAM, '+', '-', 'COUNT', 1)[1]
local id
if last and tonumber(string.match(last[1], '^%d+')) > now then
  -- The clock went back.
  id = redis.call('XADD', STREAM, string.match(last[1], '^%d+') .. '-*', 'e', ARGV[4])
else
  id = redis.call('XADD', STREAM, decimal(now) .. '-*', 'e', ARGV[4])
end
redis.call('XTRIM', STREAM, 'MAXLEN', '=', ARGV[5])
redis.call('XTRIM', STREAM, 'MINID', '=', decimal(now - tonumber(ARGV[6])))
redis.call('PEXPIRE', STREAM, ARGV[6])
local args = {}
for at = AT, #ARGV do args[at] = ARGV[at] end
args[AT + 5] = '{"id":"' .. id .. '",' .. string.sub(ARGV[4], 2)
publish(args, AT)
return id
