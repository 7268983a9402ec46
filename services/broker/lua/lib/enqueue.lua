-- @include broker/lua/lib/unique
-- @include broker/lua/lib/after
-- Arguments of a delivery: its shape, then what the letters in the shape name, in this order, then the body. Shape:
-- <class>:<route>, for example 1:12, and a letter for each of: d due, k ordering key, u uid, a after. So a plain one has two.

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

-- Shapes repeat within a batch, so each is read once.
local function read_shape(shapes, shape)
  local class, route, letters = string.match(shape, '^(%d):(%d+)(%l*)$')
  local read = {
    class = class, before = class .. ':', behind = ':0:0:' .. route, plain = letters == '', size = #letters + 2,
    due = string.find(letters, 'd', 1, true), key = string.find(letters, 'k', 1, true),
    uid = string.find(letters, 'u', 1, true), after = string.find(letters, 'a', 1, true),
  }
  shapes[shape] = read
  return read
end

-- Does with the first delivery of a uid what its repeat asks for. `batch`: what of this call is not stored yet.
local function repeat_of(queue, batch, first, new)
  if first.action == 'k' then
    local token = body_token(new.body)
    if token then redis.call('UNLINK', queue .. ':b:' .. token) end
    return
  end
  local id, place = first.present or first.id, batch.fresh[first.id]
  if place then redis.call('HSET', queue .. ':j', id, batch.bodies[place]) end
  replace_body(queue, id, new.body)
  if place then batch.bodies[place] = new.body end
  if first.action ~= 'd' then return end
  local entry = entry_of(new.shape.before .. id .. new.shape.behind, new.key)
  local in_batch = batch.delayed[entry]
  -- One that waits for others has no due time until they have ended.
  if in_batch == math.huge or redis.call('HEXISTS', TAG .. ':held', id) == 1 then return end
  if in_batch then
    batch.delayed[entry] = new.due
  elseif redis.call('ZSCORE', queue .. ':d', entry) then
    redis.call('ZADD', queue .. ':d', new.due, entry)
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

-- One that is more than a body: answers the id of the delivery it repeats, or nil when it is to be stored under `id`.
local function place_one(queue, batch, id, shape, args, at)
  local due = shape.due and due_ms(args[at + shape.due]) or now
  local key = shape.key and args[at + shape.key] or ''
  local body = args[at + shape.size - 1]
  if shape.uid then
    local known = known_by(queue, args[at + shape.uid], id, batch.fresh)
    if known then
      repeat_of(queue, batch, known, { shape = shape, due = due, key = key, body = body })
      return known.id
    end
    batch.fresh[id] = batch.size + 2
  end
  local element = shape.before .. id .. shape.behind
  if shape.after and hold(queue, id, entry_of(element, key), args[at + shape.after]) then
    batch.delayed[entry_of(element, key)] = math.huge
  elseif due > now then
    batch.delayed[entry_of(element, key)] = due
  elseif key == '' then
    append(batch.unkeyed, shape.class, element)
  else
    if not batch.keyed[key] then batch.keys[#batch.keys + 1] = key end
    append(batch.keyed, key, element)
  end
end

-- Adds n deliveries, whose arguments start at args[at], to `queue`.
-- Answers ids, duplicates (id list position -> true) and where the arguments go on.
local function enqueue(queue, args, at, n)
  redis.call('SADD', TAG .. ':queues', string.match(queue, ':q:(.*)$'))
  local first = draw(TAG .. ':seq', n)
  local million = math.floor(first / 1000000)
  local high, low = decimal(million), first - million * 1000000 - 1
  local batch = { bodies = {}, size = 0, fresh = {}, unkeyed = {}, keyed = {}, keys = {}, delayed = {} }
  local ids, duplicates, bodies, bytes, shapes = {}, {}, batch.bodies, 0, {}
  for i = 1, n do
    local shape = shapes[args[at]] or read_shape(shapes, args[at])
    low = low + 1
    local id = low < 1000000 and high .. string.format('%06d', low) or decimal(first + i - 1)
    local body, known = args[at + shape.size - 1], nil
    if shape.plain then
      append(batch.unkeyed, shape.class, shape.before .. id .. shape.behind)
    else
      known = place_one(queue, batch, id, shape, args, at)
    end
    ids[i] = known or id
    if known then
      duplicates[i] = true
    else
      bodies[batch.size + 1], bodies[batch.size + 2] = id, body
      batch.size = batch.size + 2
      if string.byte(body) == 0 then
        redis.call('PERSIST', queue .. ':b:' .. body_token(body))
        bytes = bytes + body_bytes(body_token(body))
      end
    end
    at = at + shape.size
  end
  if batch.size > 0 then redis.call('HSET', queue .. ':j', unpack(bodies)) end
  if bytes > 0 then redis.call('HINCRBY', queue .. ':m', 'bodyBytes', bytes) end
  wake(queue, place_all(queue, batch))
  return ids, duplicates, at
end
