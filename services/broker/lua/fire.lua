-- Fires one slot of a schedule, once, whoever asks. KEYS: queue prefix.
-- ARGV: clock offset, schedule id, slot ms, next slot ms, then one delivery as in lib/enqueue.
-- Answers the delivery's id, or false: the slot was fired before, or is not due by the server's clock.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/enqueue
local schedules, id, slot = P .. ':s', ARGV[2], tonumber(ARGV[3])
if tonumber(redis.call('ZSCORE', schedules, id) or '-1') ~= slot or slot > now then return false end
redis.call('ZADD', schedules, 'XX', ARGV[4], id)
return enqueue(P, ARGV, 5, 1)[1]
