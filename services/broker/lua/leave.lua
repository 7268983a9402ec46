-- A worker goes: hands back what it still holds and unregisters. KEYS: queue prefix. ARGV: clock offset, wid, bell, then
-- n, and id, claim, element, key of each. Answers how many went back. Fenced or unknown: nothing to do.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/release
redis.call('SREM', P .. ':i', ARGV[3])
if not redis.call('ZSCORE', P .. ':wk', ARGV[2]) then return 0 end
local returned = release(ARGV[2], 5, tonumber(ARGV[4]))
if redis.call('HLEN', P .. ':c:' .. ARGV[2]) > 0 then return returned end -- unknown claims: left to the reaper
redis.call('ZREM', P .. ':wk', ARGV[2])
redis.call('HDEL', P .. ':wi', ARGV[2])
return returned
