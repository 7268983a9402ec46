-- Fires one slot of a schedule, once, whoever asks. KEYS: prefix of the queue it goes to, prefix of the schedules.
-- ARGV: clock offset, version of the schedules, schedule id, slot ms, next slot ms ('' = none), n (0 = the slot is left out,
-- else 1), then one delivery as in lib/enqueue.
-- Answers { id, 1 if duplicate else 0 }, {} without a delivery, or false: the slot was fired before, is not due by the
-- server's clock, or somebody has edited a schedule that the caller has not read yet.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/enqueue
local S, id, slot = KEYS[2], ARGV[3], tonumber(ARGV[4])
if (redis.call('HGET', S .. ':so', '') or '0') ~= ARGV[2] then return false end
if tonumber(redis.call('ZSCORE', S .. ':s', id) or '-1') ~= slot or slot > now then return false end
if ARGV[5] == '' then redis.call('ZREM', S .. ':s', id) else redis.call('ZADD', S .. ':s', 'XX', ARGV[5], id) end
if ARGV[6] == '0' then return {} end
redis.call('HSET', S .. ':sl', id, decimal(slot))
local ids, duplicates = enqueue(P, ARGV, 7, 1)
return { ids[1], duplicates[1] and '1' or '0' }
