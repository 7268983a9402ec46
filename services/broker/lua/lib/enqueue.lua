-- @include broker/lua/lib/unique
-- @include broker/lua/lib/after
local ENTRY = 7 -- arguments of a delivery: class, route, due, key, uid ('' = none), after ('' = nothing), body

-- '' = now; '+ms' = that long after now; else absolute ms.
local function due_ms(due)
  if due == '' then return now end
  if string.byte(due) == 43 then return now + tonumber(due) end
  return tonumber(due)
end

local function entry_of(element, key)
  return 'J' .. element .. NUL .. key
end

local function push_all(list, elements)
  return redis.call('RPUSH', list, unpack(elements))
end

local function append(lists, name, value)
  local list = lists[name]
  if list then list[#list + 1] = value else lists[name] = { value } end
end

-- Does with the first delivery of a uid what its repeat asks for. `batch`: what of this call is not stored yet.
local function repeat_of(queue, batch, first, args, a)
  local class, route, due, key, body = args[a], args[a + 1], due_ms(args[a + 2]), args[a + 3], args[a + 6]
  if first.action == 'k' then
    local token = body_token(body)
    if token then redis.call('UNLINK', queue .. ':b:' .. token) end
    return
  end
  local id, place = first.present or first.id, batch.fresh[first.id]
  if place then redis.call('HSET', queue .. ':j', id, batch.bodies[place]) end
  replace_body(queue, id, body)
  if place then batch.bodies[place] = body end
  if first.action ~= 'd' then return end
  local entry = entry_of(class .. ':' .. id .. ':0:0:' .. route, key)
  if batch.delayed[entry] then
    batch.delayed[entry] = due
  elseif redis.call('ZSCORE', queue .. ':d', entry) then
    redis.call('ZADD', queue .. ':d', due, entry)
  end
end

-- Stores where each delivery can be found, due ones first. Answers how many turns became ready.
local function place_all(queue, batch)
  local ready, rings, scores, earliest = 0, {}, {}, nil
  for class, elements in pairs(batch.unkeyed) do
    push_all(queue .. ':w' .. class, elements)
    ready = ready + #elements
  end
  for _, key in ipairs(batch.keys) do
    local elements = batch.keyed[key]
    if push_all(queue .. ':k:' .. key, elements) == #elements then -- it was empty: idle -> ring
      append(rings, class_of(elements[1]), key)
      ready = ready + 1
    end
  end
  for class, keys in pairs(rings) do
    push_all(queue .. ':r' .. class, keys)
  end
  for entry, due in pairs(batch.delayed) do
    scores[#scores + 1] = due
    scores[#scores + 1] = entry
    earliest = math.min(earliest or due, due)
  end
  if #scores > 0 then redis.call('ZADD', queue .. ':d', unpack(scores)) end
  if earliest and earliest < math.huge then
    local head = redis.call('ZRANGE', queue .. ':d', 0, 0, 'WITHSCORES')
    if tonumber(head[2]) == earliest then ready = ready + 1 end -- somebody must learn of the earlier due time
  end
  return ready
end

-- Adds n deliveries to `queue`; entry i starts at args[at + (i - 1) * ENTRY].
-- Answers ids and duplicates (id list position -> true).
local function enqueue(queue, args, at, n)
  redis.call('SADD', TAG .. ':queues', string.match(queue, ':q:(.*)$'))
  local first = draw(TAG .. ':seq', n)
  local batch = { bodies = {}, fresh = {}, unkeyed = {}, keyed = {}, keys = {}, delayed = {} }
  local ids, duplicates, bodies, bytes = {}, {}, batch.bodies, 0
  for i = 1, n do
    local a = at + (i - 1) * ENTRY
    local class, route, due, key = args[a], args[a + 1], due_ms(args[a + 2]), args[a + 3]
    local uid, after, body = args[a + 4], args[a + 5], args[a + 6]
    local id = decimal(first + i - 1)
    local known = uid ~= '' and known_by(queue, uid, id, batch.fresh)
    if known then
      ids[i], duplicates[i] = known.id, true
      repeat_of(queue, batch, known, args, a)
    else
      ids[i] = id
      bodies[#bodies + 1] = id
      bodies[#bodies + 1] = body
      if uid ~= '' then batch.fresh[id] = #bodies end
      local token = body_token(body)
      if token then
        redis.call('PERSIST', queue .. ':b:' .. token)
        bytes = bytes + body_bytes(token)
      end
      local element = class .. ':' .. id .. ':0:0:' .. route
      if after ~= '' and hold(queue, id, entry_of(element, key), after) then
        batch.delayed[entry_of(element, key)] = math.huge
      elseif due > now then
        batch.delayed[entry_of(element, key)] = due
      elseif key == '' then
        append(batch.unkeyed, class, element)
      else
        if not batch.keyed[key] then batch.keys[#batch.keys + 1] = key end
        append(batch.keyed, key, element)
      end
    end
  end
  if #bodies > 0 then redis.call('HSET', queue .. ':j', unpack(bodies)) end
  if bytes > 0 then redis.call('HINCRBY', queue .. ':m', 'bodyBytes', bytes) end
  wake(queue, place_all(queue, batch))
  return ids, duplicates
end
