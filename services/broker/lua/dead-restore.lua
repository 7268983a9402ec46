-- Puts a dead letter back that was purged by mistake. KEYS: queue prefix. ARGV: clock offset, id, origin, whether that is another
-- than its own id, ms of its death, element, reason, key, body, then what its origin remembered: field, value, …
-- Answers 1, or 0 when there is such a delivery.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/bodies
-- @include broker/lua/lib/memory
local id, origin, body = ARGV[2], ARGV[3], ARGV[9]
if redis.call('HEXISTS', P .. ':j', id) == 1 then return 0 end
local token = body_token(body)
if token then
  redis.call('PERSIST', P .. ':b:' .. token)
  redis.call('HINCRBY', P .. ':m', 'bodyBytes', body_bytes(token))
end
redis.call('SADD', TAG .. ':queues', string.match(P, ':q:(.*)$'))
redis.call('HSET', P .. ':j', id, body)
redis.call('ZADD', P .. ':x', ARGV[5], id)
redis.call('HSET', P .. ':xe', id, ARGV[6] .. NUL .. ARGV[7] .. NUL .. ARGV[8])
if ARGV[4] == '1' then redis.call('HSET', P .. ':o', origin, id) end
for i = 10, #ARGV, 2 do
  remember(origin, ARGV[i], ARGV[i + 1])
end
return 1
