-- Takes a free Lease and raises its epoch in the same step. Repeating it with the same token is safe: the epoch stays.
-- The epoch is max(last + 1, now): it grows even when a failover or a deletion has lost the counter. Epochs are not
-- consecutive. The seat tells people how the Lease came here; nothing is decided by it.
--
-- KEYS: 1 lease, 2 epoch, 3 seat
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
local released, renewed = unpack(redis.call('HMGET', KEYS[3], 'releasedAt', 'renewedAt'))
if released then redis.call('HINCRBY', KEYS[3], 'handovers', 1) end
if renewed and not released then redis.call('HINCRBY', KEYS[3], 'expiries', 1) end
local before = tonumber(released or renewed or now)
local nowText = string.format('%.0f', now)
redis.call('HSET', KEYS[3], 'sinceAt', nowText, 'renewedAt', nowText, 'renewals', 0)
redis.call('HSET', KEYS[3], 'vacantMs', string.format('%.0f', math.max(0, now - before)))
redis.call('HDEL', KEYS[3], 'releasedAt')
return #KEYS
