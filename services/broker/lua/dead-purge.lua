-- Forgets dead letters, their bodies and what their origins remember. KEYS: queue prefix.
-- ARGV: clock offset, then id and origin of each. Answers how many.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/bodies
-- @include broker/lua/lib/after
-- @include broker/lua/lib/memory
-- @include broker/lua/lib/dead
local purged = 0
for i = 2, #ARGV, 2 do
  local id, origin = ARGV[i], ARGV[i + 1]
  if unbury(id) then
    local token = body_token(redis.call('HGET', P .. ':j', id) or '')
    if token then
      redis.call('UNLINK', P .. ':b:' .. token)
      redis.call('HINCRBY', P .. ':m', 'bodyBytes', -body_bytes(token))
    end
    redis.call('HDEL', P .. ':j', id)
    forget_memories({ origin })
    redis.call('HDEL', P .. ':o', origin)
    ended({ origin })
    purged = purged + 1
  end
end
return purged
