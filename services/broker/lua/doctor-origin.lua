-- Whether what is kept under an origin still has a delivery: its present number in o, its effects memory in e:<origin>.
-- KEYS: queue prefix. ARGV: clock offset, repair, origin, id of a delivery whose envelope names that origin ('' = none seen).
-- Answers codes.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/after
-- @include broker/lua/lib/doctor
local origin, named = ARGV[3], ARGV[4]
local moved = redis.call('HGET', P .. ':o', origin)
local function lives(id) return redis.call('HEXISTS', P .. ':j', id) == 1 end
if moved and lives(moved) then return said end
if named ~= '' and lives(named) then
  if repairs then redis.call('HSET', P .. ':o', origin, named) end
  return { 'origin-unlisted' }
end
local is_there = string.match(origin, '^[0-9a-z]+$') and lives(number_of(origin))
if moved then
  say('origin-of-nothing')
  if repairs then
    redis.call('HDEL', P .. ':o', origin)
    if not is_there then ended({ origin }) end
  end
end
if not is_there and redis.call('EXISTS', P .. ':e:' .. origin) == 1 then
  say('memory-of-nothing')
  if repairs then redis.call('UNLINK', P .. ':e:' .. origin) end
end
return said
