-- A change is about to be made. KEYS[1] = {<namespace>:<shard>}:audit. ARGV: clock offset, the change as it will be known
-- here, how many may be open at once, after how many ms one counts as given up. Answers the time (ms) and what is given up,
-- each with its time. Errors with FULL when too many are open.
-- @include broker/lua/lib/base
local open = P .. ':open'
if redis.call('ZCARD', open) >= tonumber(ARGV[3]) then return redis.error_reply('FULL too many changes are being made at once') end
redis.call('ZADD', open, now, ARGV[2])
local late = redis.call('ZRANGEBYSCORE', open, '-inf', now - tonumber(ARGV[4]), 'WITHSCORES', 'LIMIT', 0, 10)
return { decimal(now), late }
