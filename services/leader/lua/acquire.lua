-- Takes a free Lease and raises its epoch in the same step. Repeating it with the same token is safe: the epoch stays.
-- The epoch is max(last + 1, now): it grows even when a failover or a deletion has lost the counter. Epochs are not
-- consecutive.
--
-- KEYS: 1 lease, 2 epoch
-- ARGV: 1 token, 2 time to live in ms
-- Output: #KEYS when the Lease is ours, else 0 (redlock counts any other number as a vote against)
local current = redis.call('GET', KEYS[1])
if current == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return #KEYS
end
if current then return 0 end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
redis.call('SET', KEYS[2], string.format('%.0f', math.max(last + 1, now)))
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return #KEYS
