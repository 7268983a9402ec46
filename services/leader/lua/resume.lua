-- Writes a unit's resume state when no Delivery carries it (progress over events that nobody handles). Fenced.
--
-- KEYS: 1 epoch, 2 resume state
-- ARGV: 1 the writer's epoch, then field, value …
-- Output: 1, or an error that starts with FENCED
-- @include broker/lua/lib/refuse-epoch
if is_old_epoch(KEYS[1], ARGV[1]) then return redis.error_reply('FENCED stale epoch') end
redis.call('HSET', KEYS[2], unpack(ARGV, 2))
redis.call('HSET', KEYS[2], 'epoch', ARGV[1])
return 1
