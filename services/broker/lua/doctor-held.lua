-- Whether a delivery that waits for others still has something to wait for. KEYS: the set of queues.
-- ARGV: clock offset, repair, id, '1' if it was seen somewhere, at most 500 of the origins that it waits for. Answers codes.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/after
-- @include broker/lua/lib/doctor
local id, waits = ARGV[3], TAG .. ':a:' .. ARGV[3]
local queues, place = redis.call('SMEMBERS', KEYS[1]), redis.call('HGET', TAG .. ':held', id)

local function lists(origin)
  return string.find(',' .. (redis.call('HGET', TAG .. ':after', origin) or '') .. ',', ',' .. id .. ',', 1, true) ~= nil
end

-- Its entry in d must be there, unless it goes on elsewhere.
local function check_entry()
  local cut = string.find(place, NUL, 1, true)
  local queue, entry = string.sub(place, 1, cut - 1), string.sub(place, cut + 1)
  if redis.call('ZSCORE', queue .. ':d', entry) then return true end
  say('held-nowhere')
  if redis.call('HEXISTS', queue .. ':j', id) == 1 and ARGV[4] ~= '1' then
    if repairs then redis.call('ZADD', queue .. ':d', 'inf', entry) end
    return true
  end
  if repairs then
    redis.call('HDEL', TAG .. ':held', id)
    redis.call('DEL', waits)
  end
end

if not place then
  if redis.call('EXISTS', waits) == 0 then return said end
  if repairs then redis.call('DEL', waits) end
  return { 'waits-unheld' }
end
if not check_entry() then return said end
for i = 5, #ARGV do
  local origin = ARGV[i]
  if redis.call('SISMEMBER', waits, origin) == 1 then
    if not string.match(origin, '^[0-9a-z]+$') or not is_pending(queues, origin) then
      say('held-for-ended')
      if repairs then redis.call('SREM', waits, origin) end
    elseif not lists(origin) then
      say('held-unlisted')
      local others = redis.call('HGET', TAG .. ':after', origin)
      if repairs then redis.call('HSET', TAG .. ':after', origin, others and others .. ',' .. id or id) end
    end
  end
end
if redis.call('EXISTS', waits) == 0 then
  if #said == 0 then say('held-for-nothing') end
  if repairs then let_go(id) end
end
return said
