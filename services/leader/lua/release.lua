-- Gives a Lease back and tells those who wait for it.
-- redlock runs its release by itself after an acquire that failed, with three keys; that call must not end a Lease which an
-- earlier acquire with the same token has won after all, so only the call that names the channel releases.
--
-- KEYS: 1 lease, 2 epoch (untouched), 3 seat, 4 the channel to tell (no key; it carries the hash tag, so it fits the slot)
-- ARGV: 1 token
-- Output: #KEYS when released, else 0
if #KEYS < 4 then return 0 end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
local t = redis.call('TIME')
redis.call('HSET', KEYS[3], 'releasedAt', string.format('%.0f', tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)))
redis.call('PUBLISH', KEYS[4], ARGV[1])
return #KEYS
