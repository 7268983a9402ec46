-- Gives a delivery that nobody has claimed another due time or class: it goes on under a new number and keeps its origin.
-- Its old entry in d goes; in a list its element stays where it is and is settled unrun. KEYS: queue prefix.
-- ARGV: clock offset, id, origin, n, n entries of d of which one may be its, then the delivery as in lib/enqueue. Answers the new number, 'claimed', 'dead', 'held' or 'unknown'.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/enqueue
local id, origin, n, body = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[#ARGV]
local function refusal()
  if redis.call('HEXISTS', P .. ':j', id) == 0 then return 'unknown' end
  if redis.call('ZSCORE', P .. ':x', id) then return 'dead' end
  if redis.call('HEXISTS', TAG .. ':held', id) == 1 then return 'held' end
  if claimer(P, id) then return 'claimed' end
end
local reason = refusal()
if reason then
  local token = body_token(body)
  if token then redis.call('UNLINK', P .. ':b:' .. token) end
  return reason
end
local old = body_token(redis.call('HGET', P .. ':j', id))
if old then
  redis.call('UNLINK', P .. ':b:' .. old)
  redis.call('HINCRBY', P .. ':m', 'bodyBytes', -body_bytes(old))
end
redis.call('HDEL', P .. ':j', id)
if n > 0 then redis.call('ZREM', P .. ':d', unpack(ARGV, 5, 4 + n)) end
local moved = enqueue(P, ARGV, 5 + n, 1)[1]
redis.call('HSET', P .. ':o', origin, moved)
return moved
