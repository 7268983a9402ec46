-- @include broker/lua/lib/promote
-- @include broker/lua/lib/limits
-- What may not be claimed now goes to d: a key as it is, a delivery that is over its rate with its turn reserved.
local function put_aside(rules, element, key, due, entries)
  rules.aside = rules.aside + 1
  if key ~= '' then
    redis.call('ZADD', P .. ':d', due, 'K' .. key)
    return
  end
  if entries then
    spend_turns(entries)
    element = element .. '!'
  end
  redis.call('ZADD', P .. ':d', due, 'J' .. element .. NUL)
end

-- What was found: elements, and runs as key, count, …; '' is the key of `count` unkeyed ones.
local function add_found(found, key, elements)
  local n = #found.elements
  for i, element in ipairs(elements) do
    found.elements[n + i] = element
  end
  local runs = #found.runs
  found.runs[runs + 1], found.runs[runs + 2] = key, #elements
end

-- Those of a key's first deliveries that may be claimed now; when the head may not, the key is put aside.
local function admitted_run(rules, wid, key, run)
  local free = {}
  for i, element in ipairs(run) do
    local is_free, due = admit(rules, wid, element, key)
    if not is_free then
      if i == 1 then put_aside(rules, element, key, due) end
      break
    end
    free[i] = element
  end
  return free
end

local function take_keys(wid, class, count, run, rules, found)
  local taken = 0
  while taken < count and (not rules or rules.aside < ASIDE_MAX) do
    local keys = redis.call('LPOP', P .. ':r' .. class, count - taken)
    if not keys then break end
    for _, key in ipairs(keys) do
      local elements = redis.call('LRANGE', P .. ':k:' .. key, 0, run - 1)
      if rules then elements = admitted_run(rules, wid, key, elements) end
      if #elements > 0 then
        add_found(found, key, elements)
        taken = taken + 1
      end
    end
  end
  return taken
end

local function admitted_unkeyed(rules, wid, elements)
  local free = {}
  for _, element in ipairs(elements) do
    local is_free, due, entries = admit(rules, wid, element, '')
    if is_free then free[#free + 1] = element else put_aside(rules, element, '', due, entries) end
  end
  return free
end

local function take_unkeyed(wid, class, count, rules, found)
  local taken = 0
  while taken < count and (not rules or rules.aside < ASIDE_MAX) do
    local elements = redis.call('LPOP', P .. ':w' .. class, count - taken)
    if not elements then break end
    if rules then elements = admitted_unkeyed(rules, wid, elements) end
    if #elements > 0 then add_found(found, '', elements) end
    taken = taken + #elements
  end
  return taken
end

-- What may be claimed for `slots` free slots, how many slots are left, and whether it is worth to look again at once.
local function find(wid, slots, run, order, odd)
  local found, left, rules = { elements = {}, runs = {} }, slots, read_rules()
  if rules and rules.pauses.queue then return found, left, false end
  for class in string.gmatch(order, '%d') do
    if left == 0 then break end
    -- The ring and the unkeyed list share the slots; the odd one goes to either by turns, so neither starves.
    local share = math.floor((left + odd) / 2)
    local keys = take_keys(wid, class, share, run, rules, found)
    left = left - keys
    left = left - take_unkeyed(wid, class, left, rules, found)
    if keys == share then left = left - take_keys(wid, class, left, run, rules, found) end
  end
  return found, left, rules and rules.aside >= ASIDE_MAX
end

-- A hash that has held a value of more than 64 bytes is a real hash table until it is empty. As the packed list that it
-- would be, it is searched from end to end for each claim, which costs more than all else here.
local WIDE = string.rep(' ', 65)
local WIDE_FROM = 8 -- claims at once

local function write_claims(wid, claims)
  local hash = P .. ':c:' .. wid
  if #claims < 2 * WIDE_FROM then
    redis.call('HSET', hash, unpack(claims))
    return
  end
  redis.call('HSET', hash, '', WIDE, unpack(claims))
  redis.call('HDEL', hash, '')
end

-- Of what was found, what can be read; the rest is put by. Of a key's run, what stands behind that is left for another take.
local function put_unreadable_by(wid, found)
  local kept, left, at = { elements = {}, runs = {} }, {}, 0
  for run = 1, #found.runs, 2 do
    local key, n, free = found.runs[run], found.runs[run + 1], {}
    local is_cut = false
    for i = at + 1, at + n do
      local element = found.elements[i]
      local is_readable = is_element(element) or redis.call('HEXISTS', P .. ':j', id_of(element)) == 1
      if is_readable and not is_cut then
        free[#free + 1] = element
      else
        left[#left + 1] = element
      end
      if not is_readable and not is_cut then
        is_cut = key ~= ''
        put_by(is_cut and 'k' or 'w', key, element)
        if is_cut then redis.call('LREM', P .. ':k:' .. key, 1, element) end
      end
    end
    at = at + n
    local head = #free == 0 and key ~= '' and redis.call('LINDEX', P .. ':k:' .. key, 0)
    if head then redis.call('RPUSH', P .. ':r' .. class_of(head), key) end
    if #free > 0 then add_found(kept, key, free) end
  end
  leave_limits(wid, left)
  return kept
end

-- What cannot be read has no body: to look at each element would cost too much.
local function has_unreadable(elements, bodies)
  for i, element in ipairs(elements) do
    if not bodies[i] and not is_element(element) then return true end
  end
end

-- Claims what was found; answers the bodies, or nil, and nothing is claimed, when something of it cannot be read.
local function claim(wid, fence, found)
  local elements, runs, at = found.elements, found.runs, 0
  local ids, claims, before = {}, {}, fence .. NUL
  for run = 1, #runs, 2 do
    local behind = NUL .. runs[run]
    for i = at + 1, at + runs[run + 1] do
      local id = id_of(elements[i])
      ids[i], claims[2 * i - 1], claims[2 * i] = id, id, before .. elements[i] .. behind
    end
    at = at + runs[run + 1]
  end
  local bodies = redis.call('HMGET', P .. ':j', unpack(ids))
  if has_unreadable(elements, bodies) then return end
  write_claims(wid, claims)
  return bodies
end

-- Claims work for `slots` free slots: one slot holds one unkeyed delivery or one key's run.
-- Answers { fence, next due ms or '', elements, bodies, runs: key and number of elements of each, '' for unkeyed ones }.
local function take(wid, bell, slots, run, order)
  local fence = draw(P .. ':f', 1)
  local promoted, due = promote()
  local found, left, again = find(wid, slots, run, order, fence % 2)
  local bodies = {}
  fence = decimal(fence)
  if #found.elements > 0 then bodies = claim(wid, fence, found) end
  if not bodies then
    found, again = put_unreadable_by(wid, found), true
    bodies = #found.elements > 0 and claim(wid, fence, found) or {}
  end
  -- In this same script, so that no bell can fall between the look and the sleep.
  redis.call(left > 0 and 'SADD' or 'SREM', P .. ':i', bell)
  if again then due = decimal(now) elseif has_rules then due = next_due() end
  return { fence, due or '', found.elements, bodies, found.runs }, left, promoted
end
