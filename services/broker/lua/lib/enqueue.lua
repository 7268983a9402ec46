-- @include broker/lua/lib/bodies
local ENTRY = 7 -- arguments of a delivery: class, route, due, key, uid, uidTtl, body

-- '' = now; '+ms' = that long after now; else absolute ms.
local function due_ms(due)
  if due == '' then return now end
  if string.byte(due) == 43 then return now + tonumber(due) end
  return tonumber(due)
end

local function push_all(list, elements)
  return redis.call('RPUSH', list, unpack(elements))
end

-- Adds n deliveries to `queue`; entry i starts at args[at + (i - 1) * ENTRY].
-- Answers ids, duplicates (id list position -> true) and how many turns became ready.
local function enqueue(queue, args, at, n)
  if redis.call('EXISTS', queue .. ':seq') == 0 then
    redis.call('SADD', TAG .. ':queues', string.match(queue, ':q:(.*)$'))
  end
  local first = draw(queue .. ':seq', n)
  local ids, duplicates, bodies, bytes = {}, {}, {}, 0
  local unkeyed, keyed, key_order, delayed, earliest = {}, {}, {}, {}, nil
  for i = 1, n do
    local a = at + (i - 1) * ENTRY
    local class, route, due, key, uid, body = args[a], args[a + 1], due_ms(args[a + 2]), args[a + 3], args[a + 4], args[a + 6]
    local id, token = decimal(first + i - 1), body_token(body)
    local known = uid ~= '' and redis.call('SET', queue .. ':u:' .. uid, id, 'NX', 'GET', 'PX', args[a + 5])
    if known then
      ids[i], duplicates[i] = known, true
      if token then redis.call('UNLINK', queue .. ':b:' .. token) end
    else
      ids[i] = id
      bodies[#bodies + 1] = id
      bodies[#bodies + 1] = body
      if token then
        redis.call('PERSIST', queue .. ':b:' .. token)
        bytes = bytes + body_bytes(token)
      end
      local element = class .. ':' .. id .. ':0:0:' .. route
      if due > now then
        delayed[#delayed + 1] = due
        delayed[#delayed + 1] = 'J' .. element .. NUL .. key
        earliest = math.min(earliest or due, due)
      elseif key == '' then
        unkeyed[class] = unkeyed[class] or {}
        table.insert(unkeyed[class], element)
      else
        if not keyed[key] then
          keyed[key] = {}
          key_order[#key_order + 1] = key
        end
        table.insert(keyed[key], element)
      end
    end
  end
  if #bodies > 0 then redis.call('HSET', queue .. ':j', unpack(bodies)) end
  if bytes > 0 then redis.call('HINCRBY', queue .. ':m', 'bodyBytes', bytes) end
  local ready, rings = 0, {}
  for class, elements in pairs(unkeyed) do
    push_all(queue .. ':w' .. class, elements)
    ready = ready + #elements
  end
  for _, key in ipairs(key_order) do
    local elements = keyed[key]
    if push_all(queue .. ':k:' .. key, elements) == #elements then -- it was empty: idle -> ring
      local class = class_of(elements[1])
      rings[class] = rings[class] or {}
      table.insert(rings[class], key)
      ready = ready + 1
    end
  end
  for class, keys in pairs(rings) do
    push_all(queue .. ':r' .. class, keys)
  end
  if #delayed > 0 then
    redis.call('ZADD', queue .. ':d', unpack(delayed))
    local head = redis.call('ZRANGE', queue .. ':d', 0, 0, 'WITHSCORES')
    if tonumber(head[2]) == earliest then ready = ready + 1 end -- somebody must learn of the earlier due time
  end
  wake(queue, ready)
  return ids, duplicates
end
