-- Hands claimed work back, uncounted. KEYS: queue prefix.
-- ARGV: clock offset, wid, n, then id, claim, element, key of each. Answers how many went back.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/guard-worker
-- @include broker/lua/lib/release
if is_fenced(ARGV[2]) then return redis.error_reply('FENCED worker is not registered') end
return release(ARGV[2], 4, tonumber(ARGV[3]))
