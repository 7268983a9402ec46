-- @include broker/lua/lib/dead
-- @include broker/lua/lib/effects
-- @include broker/lua/lib/settle-plain
-- @include broker/lua/lib/history
-- Settlements are read from ARGV, checked, then written; a delivery is owned if its claim is, to the byte, the one sent.
-- A delivery has nine arguments before its effects: id, claim, element, next element, origin, whether the
-- origin is its own id, body token, history, number of effects.

-- Whether `key`, whose next element is `head`, has no claimed run any more: then claim -> ring.
local function release_key(wid, key, head)
  if not head or redis.call('HEXISTS', P .. ':c:' .. wid, id_of(head)) == 1 then return 0 end
  redis.call('RPUSH', P .. ':r' .. class_of(head), key)
  return 1
end

local function read_groups(at)
  local groups, ids = {}, {}
  for g = 1, tonumber(ARGV[at]) do
    local group = { kind = ARGV[at + 1], key = ARGV[at + 2], delay = tonumber(ARGV[at + 3]), error = ARGV[at + 4] }
    local m = tonumber(ARGV[at + 5])
    at = at + 6
    for i = 1, m do
      local d = {
        id = ARGV[at], claim = ARGV[at + 1], element = ARGV[at + 2], next = ARGV[at + 3], origin = ARGV[at + 4],
        own = ARGV[at + 5], token = ARGV[at + 6], history = ARGV[at + 7], effects = tonumber(ARGV[at + 8]), at = at + 9,
      }
      at = skip_effects(ARGV, d.at, d.effects)
      ids[#ids + 1] = d.id
      group[i] = d
    end
    at = at - 1
    groups[g] = group
  end
  return groups, ids
end

local function mark_owned(wid, groups, ids)
  if #ids == 0 then return end
  local claims, seen, n = redis.call('HMGET', P .. ':c:' .. wid, unpack(ids)), {}, 0
  for _, group in ipairs(groups) do
    for _, d in ipairs(group) do
      n = n + 1
      d.owned = claims[n] == d.claim and not seen[d.id]
      seen[d.id] = true
    end
  end
end

-- done, moved and gone: the run is a prefix of the key's list; only the owned part of that prefix is settled.
local function finish(wid, group, out)
  if group.key == '' then
    for _, d in ipairs(group) do
      if d.owned then out.settled[#out.settled + 1] = d end
    end
    return
  end
  local list = P .. ':k:' .. group.key
  local elements, prefix = redis.call('LRANGE', list, 0, #group), 0
  while prefix < #group and group[prefix + 1].owned and elements[prefix + 1] == group[prefix + 1].element do
    prefix = prefix + 1
    out.settled[#out.settled + 1] = group[prefix]
  end
  for i = prefix + 1, #group do
    group[i].owned = false
  end
  if prefix == 0 then return end
  redis.call('LPOP', list, prefix)
  out.released = out.released + release_key(wid, group.key, elements[prefix + 1])
end

local function unclaim_run(wid, list, out)
  local run = {}
  for i, element in ipairs(redis.call('LRANGE', list, 0, RUN_MAX - 1)) do
    run[i] = id_of(element)
    out.left[#out.left + 1] = element
  end
  redis.call('HDEL', P .. ':c:' .. wid, unpack(run))
end

local HEAD_STAYS = { block = true, park = true, crash = true }
local UNCOUNTED = { wait = true, park = true }

-- block, park and crash: the key waits with its head in place; skip, wait and dead: the key goes on.
local function fail(wid, group, out)
  local d, list = group[1], P .. ':k:' .. group.key
  local keyed, kind = group.key ~= '', group.kind
  if not d.owned then return end
  if keyed and redis.call('LINDEX', list, 0) ~= d.element then
    d.owned = false
    return
  end
  out.failed[#out.failed + 1] = d
  out.left[#out.left + 1] = d.element
  d.error = UNCOUNTED[kind] and '' or group.error
  local due = decimal(now + (group.delay or 0))
  if keyed and HEAD_STAYS[kind] then
    unclaim_run(wid, list, out)
    redis.call('LSET', list, 0, d.next)
    redis.call('ZADD', P .. ':d', due, 'K' .. group.key)
    return
  end
  redis.call('HDEL', P .. ':c:' .. wid, d.id)
  if keyed then
    redis.call('LPOP', list)
    out.released = out.released + release_key(wid, group.key, redis.call('LINDEX', list, 0))
  end
  if kind == 'dead' then
    bury(d.next, group.key, group.error)
  else
    redis.call('ZADD', P .. ':d', due, 'J' .. d.next .. NUL .. group.key)
  end
end

local function forget(wid, settled, out)
  if #settled == 0 then return end
  local ids, bodies, origins, bytes = {}, {}, {}, 0
  for i, d in ipairs(settled) do
    ids[i] = d.id
    out.left[#out.left + 1] = d.element
    if not d.moved then origins[#origins + 1] = d.origin end
    if d.token ~= '' then
      bodies[#bodies + 1] = P .. ':b:' .. d.token
      bytes = bytes + body_bytes(d.token)
    end
    if d.own == '' and not d.moved then redis.call('HDEL', P .. ':o', d.origin) end
  end
  redis.call('HDEL', P .. ':c:' .. wid, unpack(ids))
  redis.call('HDEL', P .. ':j', unpack(ids))
  if #bodies > 0 then redis.call('UNLINK', unpack(bodies)) end
  if bytes > 0 then redis.call('HINCRBY', P .. ':m', 'bodyBytes', -bytes) end
  if #origins == 0 then return end
  forget_memories(origins)
  ended(origins)
end

local function keep_errors(failed)
  for _, d in ipairs(failed) do
    if d.error ~= '' then
      local attempt = tonumber(string.match(d.next, '^%d:%d+:(%d+)'))
      remember(d.origin, 'error:' .. attempt, d.error)
      redis.call('HDEL', P .. ':e:' .. d.origin, 'error:' .. attempt - 10)
    end
  end
end

local function write_all_effects(deliveries, remember)
  for _, d in ipairs(deliveries) do
    if d.effects > 0 then
      local _, refs = write_effects(d.origin, ARGV, d.at, d.effects, remember or d.moved)
      if d.moved then redis.call('HSET', P .. ':o', d.origin, refs[#refs]) end
    end
  end
end

local function lines_of(deliveries, lines)
  for _, d in ipairs(deliveries) do
    if d.history ~= '' then lines[#lines + 1] = d.history end
  end
end

-- Settles what starts at ARGV[at]: plain ones in columns, then groups. Answers { 1 or 1 | 0 of each plain one, 1 | 0 of each
-- delivery of the groups } (0 = lost), and what became of them.
local function settle(wid, at, history_max)
  local plain, released, text, lines, groups_at = settle_plain(wid, at)
  local out = { settled = {}, failed = {}, released = released, left = {} } -- left: elements whose claims are no more
  local groups, ids = read_groups(groups_at)
  if #groups == 0 then
    write_history(wid, text, lines, history_max)
    return { plain, {} }, out
  end
  mark_owned(wid, groups, ids)
  for _, group in ipairs(groups) do
    if group.kind == 'done' or group.kind == 'moved' or group.kind == 'gone' then
      for _, d in ipairs(group) do
        -- Its origin lives on, but for what is gone and still stored: its body was lost, and it can never run.
        d.moved = group.kind == 'moved' or group.kind == 'gone' and redis.call('HEXISTS', P .. ':j', d.id) == 0
      end
      finish(wid, group, out)
    else
      fail(wid, group, out)
    end
  end
  write_all_effects(out.settled, false)
  write_all_effects(out.failed, true)
  keep_errors(out.failed)
  forget(wid, out.settled, out)
  leave_limits(wid, out.left)
  local told = lines > 0 and { text } or {}
  local before = #told
  lines_of(out.settled, told)
  lines_of(out.failed, told)
  write_history(wid, table.concat(told, '\n'), lines + #told - before, history_max)
  local answers = {}
  for _, group in ipairs(groups) do
    for _, d in ipairs(group) do
      answers[#answers + 1] = d.owned and 1 or 0
    end
  end
  return { plain, answers }, out
end
