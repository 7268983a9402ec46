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

-- The first deliveries of a key that is off its ring; none when its head may not be claimed now.
local function take_run(wid, key, run, rules, out)
  for i, element in ipairs(redis.call('LRANGE', P .. ':k:' .. key, 0, run - 1)) do
    if rules then
      local free, due = admit(rules, wid, element, key)
      if not free then
        if i == 1 then put_aside(rules, element, key, due) end
        return i > 1
      end
    end
    out.n = out.n + 1
    out.elements[out.n], out.keys[out.n] = element, key
  end
  return true
end

local function take_keys(wid, class, count, run, rules, out)
  local taken = 0
  while taken < count and (not rules or rules.aside < ASIDE_MAX) do
    local keys = redis.call('LPOP', P .. ':r' .. class, count - taken)
    if not keys then break end
    for _, key in ipairs(keys) do
      if take_run(wid, key, run, rules, out) then taken = taken + 1 end
    end
  end
  return taken
end

local function take_unkeyed(wid, class, count, rules, out)
  local taken = 0
  while taken < count and (not rules or rules.aside < ASIDE_MAX) do
    local elements = redis.call('LPOP', P .. ':w' .. class, count - taken)
    if not elements then break end
    for _, element in ipairs(elements) do
      local free, due, entries = true, nil, nil
      if rules then free, due, entries = admit(rules, wid, element, '') end
      if free then
        out.n = out.n + 1
        out.elements[out.n], out.keys[out.n] = element, ''
        taken = taken + 1
      else
        put_aside(rules, element, '', due, entries)
      end
    end
  end
  return taken
end

-- What may be claimed for `slots` free slots, how many slots are left, and whether it is worth to look again at once.
local function find(wid, slots, run, order, odd)
  local found, left, rules = { n = 0, elements = {}, keys = {} }, slots, read_rules()
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

-- Claims work for `slots` free slots: one slot holds one unkeyed delivery or one key's run.
-- Answers { fence, next due ms or '', then element, key, body of each }.
local function take(wid, bell, slots, run, order)
  local fence = draw(P .. ':f', 1)
  local promoted = promote()
  local found, left, again = find(wid, slots, run, order, fence % 2)
  local reply = { decimal(fence), '' }
  if found.n > 0 then
    local elements, keys, prefix = found.elements, found.keys, reply[1] .. NUL
    local ids, claims = {}, {}
    for i = 1, found.n do
      local id = id_of(elements[i])
      ids[i], claims[2 * i - 1], claims[2 * i] = id, id, prefix .. elements[i] .. NUL .. keys[i]
    end
    local bodies = redis.call('HMGET', P .. ':j', unpack(ids))
    write_claims(wid, claims)
    for i = 1, found.n do
      reply[3 * i], reply[3 * i + 1], reply[3 * i + 2] = elements[i], keys[i], bodies[i]
    end
  end
  -- In this same script, so that no bell can fall between the look and the sleep.
  redis.call(left > 0 and 'SADD' or 'SREM', P .. ':i', bell)
  reply[2] = again and decimal(now) or redis.call('ZRANGE', P .. ':d', 0, 0, 'WITHSCORES')[2] or ''
  return reply, left, promoted
end
