-- Writes effects of a run before its settle, for `await reply()` and its like. KEYS: queue prefix.
-- ARGV: clock offset, wid, id, claim, origin, number of effects, the effects. Answers the refs.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/guard-worker
-- @include broker/lua/lib/effects
if is_fenced(ARGV[2]) then return redis.error_reply('FENCED worker is not registered') end
if redis.call('HGET', P .. ':c:' .. ARGV[2], ARGV[3]) ~= ARGV[4] then return redis.error_reply('LOST claim') end
local _, refs = write_effects(ARGV[5], ARGV, 7, tonumber(ARGV[6]), true)
return refs
