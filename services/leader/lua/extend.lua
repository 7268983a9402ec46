-- Renews a Lease that is still ours. A Lease that ran out is never brought back: its key is gone, so the token differs.
--
-- KEYS: 1 lease, 2 epoch (untouched)
-- ARGV: 1 token, 2 time to live in ms
-- Output: #KEYS when renewed, else 0
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return #KEYS
