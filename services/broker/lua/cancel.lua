-- Cancels one delivery. KEYS: queue prefix. ARGV: clock offset, id, origin, number of the database, then entries of d of which
-- one may be its. A claimed one's worker is told. Any other's body goes, as does its entry in d; what is left of it in a list
-- is settled unrun when its turn comes.
-- Answers 'cancelled', 'signalled', 'dead' (nothing done) or 'unknown'.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/unique
-- @include broker/lua/lib/after
-- @include broker/lua/lib/memory
local id, origin = ARGV[2], ARGV[3]
if redis.call('HEXISTS', P .. ':j', id) == 0 then return 'unknown' end
if redis.call('ZSCORE', P .. ':x', id) then return 'dead' end
local wid = claimer(P, id)
if wid then
  redis.call('SPUBLISH', P .. ':bell:' .. ARGV[4] .. ':' .. wid, 'cancel ' .. id)
  return 'signalled'
end
local token = body_token(redis.call('HGET', P .. ':j', id))
if token then
  redis.call('UNLINK', P .. ':b:' .. token)
  redis.call('HINCRBY', P .. ':m', 'bodyBytes', -body_bytes(token))
end
redis.call('HDEL', P .. ':j', id)
forget_memories({ origin })
redis.call('HDEL', P .. ':o', origin)
if #ARGV > 4 then redis.call('ZREM', P .. ':d', unpack(ARGV, 5)) end
let_go(id, true)
ended({ origin })
return 'cancelled'
