-- @include broker/lua/lib/promote
local function take_keys(class, count, run, out)
  if count <= 0 then return 0 end
  local keys = redis.call('LPOP', P .. ':r' .. class, count)
  if not keys then return 0 end
  for _, key in ipairs(keys) do
    for _, element in ipairs(redis.call('LRANGE', P .. ':k:' .. key, 0, run - 1)) do
      out[#out + 1] = { element, key }
    end
  end
  return #keys
end

local function take_unkeyed(class, count, out)
  if count <= 0 then return 0 end
  local elements = redis.call('LPOP', P .. ':w' .. class, count)
  if not elements then return 0 end
  for _, element in ipairs(elements) do
    out[#out + 1] = { element, '' }
  end
  return #elements
end

-- Claims work for `slots` free slots: one slot holds one unkeyed delivery or one key's run.
-- Answers { fence, next due ms or '', then element, key, body of each }.
local function take(wid, bell, slots, run, order)
  local fence = draw(P .. ':f', 1)
  local promoted = promote()
  local found, left = {}, slots
  for class in string.gmatch(order, '%d') do
    if left == 0 then break end
    -- The ring and the unkeyed list share the slots; the odd one goes to either by turns, so neither starves.
    local share = math.floor((left + fence % 2) / 2)
    local keys = take_keys(class, share, run, found)
    left = left - keys
    left = left - take_unkeyed(class, left, found)
    if keys == share then left = left - take_keys(class, left, run, found) end
  end
  local reply = { decimal(fence), '' }
  if #found > 0 then
    local ids, claims = {}, {}
    for i, f in ipairs(found) do
      ids[i] = id_of(f[1])
      claims[2 * i - 1] = ids[i]
      claims[2 * i] = reply[1] .. NUL .. f[1] .. NUL .. f[2]
    end
    local bodies = redis.call('HMGET', P .. ':j', unpack(ids))
    redis.call('HSET', P .. ':c:' .. wid, unpack(claims))
    for i, f in ipairs(found) do
      reply[3 * i] = f[1]
      reply[3 * i + 1] = f[2]
      reply[3 * i + 2] = bodies[i]
    end
  end
  -- In this same script, so that no bell can fall between the look and the sleep.
  redis.call(left > 0 and 'SADD' or 'SREM', P .. ':i', bell)
  reply[2] = redis.call('ZRANGE', P .. ':d', 0, 0, 'WITHSCORES')[2] or ''
  return reply, left, promoted
end
