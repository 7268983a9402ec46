-- @include broker/lua/lib/memory
-- @include broker/lua/lib/after
-- @include broker/lua/lib/limits
-- Most deliveries end well and say nothing more: done, no effects, the id of their own, a small body. They come in columns,
-- so that the common case costs a few calls for all of them: n, n ids, number of runs, then key, fence and length of each
-- run ('' = unkeyed ones of one take), then the number of history lines (n or 0) and the lines as one text.

-- A run must be a prefix of its key's list. Its first id is ARGV[ids_at + i]. Marks what is lost, pops the rest;
-- answers the key's next element.
local function finish_run(list, ids_at, i, m, lost)
  local elements, prefix = redis.call('LRANGE', list, 0, m), 0
  while prefix < m and not lost[i + prefix] and elements[prefix + 1]
    and id_of(elements[prefix + 1]) == ARGV[ids_at + i + prefix] do
    prefix = prefix + 1
  end
  for n = i + prefix, i + m - 1 do
    lost[n], lost.any = true, true
  end
  if prefix == 0 then return end
  redis.call('LPOP', list, prefix)
  return elements[prefix + 1]
end

-- Keys whose next elements these are: claim -> ring, where no unsettled delivery of the run is left.
local function release_keys(claims, keys, heads)
  if #keys == 0 then return 0 end
  local ids, rings, released = {}, {}, 0
  for i, head in ipairs(heads) do
    ids[i] = id_of(head)
  end
  local claimed = redis.call('HMGET', claims, unpack(ids))
  for i, head in ipairs(heads) do
    if not claimed[i] then
      local class = class_of(head)
      rings[class] = rings[class] or {}
      table.insert(rings[class], keys[i])
      released = released + 1
    end
  end
  for class, ring in pairs(rings) do
    redis.call('RPUSH', P .. ':r' .. class, unpack(ring))
  end
  return released
end

-- What only matters where something is remembered, awaited or limited. `held`: the claims.
local function end_plain(wid, ids, held)
  local origins, left = {}, {}
  for i, id in ipairs(ids) do
    origins[i], left[i] = public_id(id), string.match(held[i], '%z(.-)%z')
  end
  forget_memories(origins)
  ended(origins)
  leave_limits(wid, left)
end

-- Lost ones taken out: ids, claims and history lines that are left.
local function without(lost, n, base, held, text)
  local ids, claims, lines, i = {}, {}, {}, 0
  for line in string.gmatch(text .. '\n', '(.-)\n') do
    i = i + 1
    if not lost[i] then lines[#lines + 1] = line end
  end
  for k = 1, n do
    if not lost[k] then
      ids[#ids + 1], claims[#claims + 1] = ARGV[base + k], held[k]
    end
  end
  return ids, claims, table.concat(lines, '\n')
end

-- Settles the deliveries that start at ARGV[at]. Answers 1 (all) or 1 | 0 of each, how many keys became ready, text and number
-- of the history lines, and where the arguments go on.
local function settle_plain(wid, at)
  local n = tonumber(ARGV[at])
  if n == 0 then return 1, 0, '', 0, at + 1 end
  local claims, base, runs_at = P .. ':c:' .. wid, at, at + n + 2
  local runs = tonumber(ARGV[at + n + 1])
  local lines_at = runs_at + 3 * runs
  local held, lost = redis.call('HMGET', claims, unpack(ARGV, base + 1, base + n)), {}
  local keys, heads, i = {}, {}, 1
  for run = runs_at, lines_at - 1, 3 do
    local key, fence, m = ARGV[run], ARGV[run + 1] .. NUL, tonumber(ARGV[run + 2])
    for k = i, i + m - 1 do
      if not held[k] or string.find(held[k], fence, 1, true) ~= 1 then lost[k], lost.any = true, true end
    end
    local head = key ~= '' and finish_run(P .. ':k:' .. key, base, i, m, lost)
    if head then keys[#keys + 1], heads[#heads + 1] = key, head end
    i = i + m
  end
  local released, lines, text = release_keys(claims, keys, heads), tonumber(ARGV[lines_at]), ARGV[lines_at + 1]
  if not lost.any then
    redis.call('HDEL', claims, unpack(ARGV, base + 1, base + n))
    redis.call('HDEL', P .. ':j', unpack(ARGV, base + 1, base + n))
    if has_rules then end_plain(wid, { unpack(ARGV, base + 1, base + n) }, held) end
    return 1, released, text, lines, lines_at + 2
  end
  local ids, owned, left = without(lost, n, base, held, text)
  if #ids > 0 then
    redis.call('HDEL', claims, unpack(ids))
    redis.call('HDEL', P .. ':j', unpack(ids))
    if has_rules then end_plain(wid, ids, owned) end
  end
  local answers = {}
  for k = 1, n do
    answers[k] = lost[k] and 0 or 1
  end
  return answers, released, left, lines > 0 and #ids or 0, lines_at + 2
end
