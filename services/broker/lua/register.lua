-- A worker joins a queue, or tells its new client id after a reconnect. KEYS: queue prefix.
-- ARGV: clock offset, wid, info. Answers 1, or 0 when this wid was here before and is fenced by now.
-- @include broker/lua/lib/base
local wid, info = ARGV[2], ARGV[3]
local known = redis.call('HEXISTS', P .. ':wi', wid) == 1
if known and not redis.call('ZSCORE', P .. ':wk', wid) then return 0 end
redis.call('ZADD', P .. ':wk', 'NX', now + CLAIM_MS, wid)
redis.call('HSET', P .. ':wi', wid, info)
redis.call('SADD', TAG .. ':queues', string.match(P, ':q:(.*)$'))
return 1
