-- Whether what is kept under an origin still has a delivery: its present number in o, its effects memory in e:<origin> and em.
-- KEYS: queue prefix. ARGV: clock offset, repair, origin, id of a delivery whose envelope names that origin ('' = none seen).
-- Answers codes.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/after
-- @include broker/lua/lib/doctor
local origin, named = ARGV[3], ARGV[4]
local moved, memory = redis.call('HGET', P .. ':o', origin), P .. ':e:' .. origin
local has_memory, is_listed = redis.call('EXISTS', memory) == 1, redis.call('SISMEMBER', P .. ':em', origin) == 1
local function lives(id) return redis.call('HEXISTS', P .. ':j', id) == 1 end
local is_own = string.match(origin, '^[0-9a-z]+$') and lives(number_of(origin))
if not (moved and lives(moved)) then
  if named ~= '' and lives(named) then
    say('origin-unlisted')
    if repairs then redis.call('HSET', P .. ':o', origin, named) end
    is_own = true
  elseif moved then
    say('origin-of-nothing')
    if repairs then redis.call('HDEL', P .. ':o', origin) end
    if repairs and not is_own then ended({ origin }) end
  end
else
  is_own = true
end
if has_memory and not is_own then
  say('memory-of-nothing')
  if repairs then redis.call('UNLINK', memory) end
  has_memory = false
end
if has_memory and not is_listed then
  say('memory-unlisted')
  if repairs then redis.call('SADD', P .. ':em', origin) end
elseif is_listed and not has_memory then
  if #said == 0 then say('memory-empty') end
  if repairs then redis.call('SREM', P .. ':em', origin) end
end
return said
