-- Makes the schedules those given: new ones are added, those whose definition changed start anew, the others go.
-- KEYS: their prefix. ARGV: clock offset, the version that the caller has read, then id, definition, description and next
-- slot ms ('' = none: it fires no more) of each. Answers 1, or 0 when somebody has edited them since.
-- @include broker/lua/lib/base
local slots, definitions, descriptions = P .. ':s', P .. ':sd', P .. ':si'
if (redis.call('HGET', P .. ':so', '') or '0') ~= ARGV[2] then return 0 end
local stays = {}
for i = 3, #ARGV, 4 do
  local id, definition, next_ms = ARGV[i], ARGV[i + 1], ARGV[i + 3]
  stays[id] = true
  local is_known = redis.call('HGET', definitions, id) == definition
  if next_ms == '' then
    redis.call('ZREM', slots, id)
  elseif is_known then
    redis.call('ZADD', slots, 'NX', next_ms, id)
  else
    redis.call('ZADD', slots, next_ms, id)
  end
  redis.call('HSET', definitions, id, definition)
  redis.call('HSET', descriptions, id, ARGV[i + 2])
end
for _, ids in ipairs({ redis.call('HKEYS', definitions), redis.call('ZRANGE', slots, 0, -1) }) do
  for _, id in ipairs(ids) do
    if not stays[id] then
      redis.call('ZREM', slots, id)
      redis.call('HDEL', definitions, id)
      redis.call('HDEL', descriptions, id)
      redis.call('HDEL', P .. ':sl', id)
    end
  end
end
return 1
