-- Renews a Lease that is still ours. A Lease that ran out is never brought back: its key is gone, so the token differs.
--
-- KEYS: 1 lease, 2 epoch (untouched), 3 seat
-- ARGV: 1 token, 2 time to live in ms
-- Output: #KEYS when renewed, else 0
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local t = redis.call('TIME')
redis.call('HSET', KEYS[3], 'renewedAt', string.format('%.0f', tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)))
redis.call('HINCRBY', KEYS[3], 'renewals', 1)
return #KEYS
