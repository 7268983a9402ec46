-- A delivery that was seen nowhere. It goes on under a new number: so it runs once even if it is somewhere, for what is left
-- under the old number is settled unrun. KEYS: queue prefix.
-- ARGV: clock offset, repair, id, origin ('' = it is not known by one), then the delivery as in lib/enqueue. Answers codes.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/enqueue
-- @include broker/lua/lib/doctor
local id, origin, new = ARGV[3], ARGV[4], #ARGV > 4 and body_token(ARGV[#ARGV])
local stored = redis.call('HGET', P .. ':j', id)
local is_somewhere = not stored or redis.call('ZSCORE', P .. ':x', id) or redis.call('HEXISTS', TAG .. ':held', id) == 1 or claimer(P, id)
if is_somewhere or not repairs then
  if new then redis.call('UNLINK', P .. ':b:' .. new) end
  return is_somewhere and said or { 'body-nowhere' }
end
local old = body_token(stored)
if old then
  redis.call('UNLINK', P .. ':b:' .. old)
  redis.call('HINCRBY', P .. ':m', 'bodyBytes', -body_bytes(old))
end
redis.call('HDEL', P .. ':j', id)
local moved = enqueue(P, ARGV, 5, 1)[1]
if origin ~= '' then redis.call('HSET', P .. ':o', origin, moved) end
return { 'body-nowhere' }
