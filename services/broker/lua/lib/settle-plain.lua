-- @include broker/lua/lib/memory
-- @include broker/lua/lib/after
-- @include broker/lua/lib/limits
-- Most deliveries end well and say nothing more: done, no effects, the id of their own, a small body. They come in columns,
-- so that the common case costs a few calls for all of them: n, how many of them are unkeyed (they come first), number of
-- runs, number of history lines (n or 0), n ids, n claims, the lines, then key and length of each run.

-- The keyed ones: each run must be a prefix of its key's list. Adds to `lost`, answers how many keys became ready.
local function finish_runs(claims, at, runs, first, i, lost)
  local heads, keys, classes = {}, {}, {}
  for run = 0, runs - 1 do
    local key, m = ARGV[at + 2 * run], tonumber(ARGV[at + 2 * run + 1])
    local list = P .. ':k:' .. key
    local elements, prefix = redis.call('LRANGE', list, 0, m), 0
    while prefix < m and not lost[i + prefix] and elements[prefix + 1]
      and string.find(elements[prefix + 1], ARGV[first + i + prefix - 1], 3, true) == 3 do
      prefix = prefix + 1
    end
    for n = prefix, m - 1 do
      lost[i + n] = true
    end
    i = i + m
    if prefix > 0 then redis.call('LPOP', list, prefix) end
    local head = prefix > 0 and elements[prefix + 1]
    if head then
      local n = #heads + 1
      heads[n], keys[n], classes[n] = id_of(head), key, class_of(head)
    end
  end
  if #heads == 0 then return 0 end
  local claimed, rings, released = redis.call('HMGET', claims, unpack(heads)), {}, 0
  for n, key in ipairs(keys) do
    if not claimed[n] then -- claim -> ring: no unsettled delivery of the run is left
      local ring = rings[classes[n]] or {}
      ring[#ring + 1] = key
      rings[classes[n]] = ring
      released = released + 1
    end
  end
  for class, ring in pairs(rings) do
    redis.call('RPUSH', P .. ':r' .. class, unpack(ring))
  end
  return released
end

-- What only matters where something is remembered, awaited or limited: looked at in one call.
local function end_plain(wid, ids, elements)
  if redis.call('EXISTS', P .. ':em', TAG .. ':after', TAG .. ':limits') == 0 then return end
  local origins, left = {}, {}
  for i, id in ipairs(ids) do
    origins[i] = public_id(id)
    left[i] = elements(i)
  end
  forget_memories(origins)
  ended(origins)
  leave_limits(wid, left)
end

-- Settles the deliveries that start at ARGV[at]. Answers 1 (all) or 1 | 0 of each, how many keys became ready, and where
-- the arguments go on.
local function settle_plain(wid, at, history_max)
  local n, unkeyed, runs, lines = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local first = at + 4
  local runs_at = first + 2 * n + lines
  local on = runs_at + 2 * runs
  if n == 0 then return 1, 0, on end
  local claims, lost = P .. ':c:' .. wid, {}
  local held = redis.call('HMGET', claims, unpack(ARGV, first, first + n - 1))
  for i = 1, n do
    if held[i] ~= ARGV[first + n + i - 1] then lost[i] = true end
  end
  local released = runs > 0 and finish_runs(claims, runs_at, runs, first, unkeyed + 1, lost) or 0
  local ids, history, from = {}, {}, {}
  for i = 1, n do
    if not lost[i] then
      local count = #ids + 1
      ids[count], from[count] = ARGV[first + i - 1], i
      if lines > 0 then history[count] = ARGV[first + 2 * n + i - 1] end
    end
  end
  if #ids > 0 then
    redis.call('HDEL', claims, unpack(ids))
    redis.call('HDEL', P .. ':j', unpack(ids))
    end_plain(wid, ids, function(i)
      return string.match(ARGV[first + n + from[i] - 1], '%z(.-)%z')
    end)
    if history_max > 0 and lines > 0 then
      redis.call('LPUSH', P .. ':h', unpack(history))
      redis.call('LTRIM', P .. ':h', 0, history_max - 1)
    end
  end
  if #ids == n then return 1, released, on end
  local answers = {}
  for i = 1, n do
    answers[i] = lost[i] and 0 or 1
  end
  return answers, released, on
end
