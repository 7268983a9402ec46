-- Whether a body that is kept apart is there, and stays. KEYS: queue prefix. ARGV: clock offset, repair, id, origin.
-- A delivery whose body is gone cannot run: it is forgotten, and what waits for it goes on. Answers codes.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/unique
-- @include broker/lua/lib/after
-- @include broker/lua/lib/dead
-- @include broker/lua/lib/memory
-- @include broker/lua/lib/doctor
local id, origin = ARGV[3], ARGV[4]
local token = body_token(redis.call('HGET', P .. ':j', id) or '1')
if not token then return said end
local ttl = redis.call('PTTL', P .. ':b:' .. token)
if ttl >= 0 then
  if repairs then redis.call('PERSIST', P .. ':b:' .. token) end
  return { 'body-expires' }
end
if ttl == -1 or claimer(P, id) then return said end -- a worker that has it settles it unrun
if repairs then
  redis.call('HDEL', P .. ':j', id)
  redis.call('HINCRBY', P .. ':m', 'bodyBytes', -body_bytes(token))
  unbury(id)
  forget_memories({ origin })
  redis.call('HDEL', P .. ':o', origin)
  let_go(id)
  ended({ origin })
end
return { 'body-gone' }
