-- @include broker/lua/lib/limits
-- @include broker/lua/lib/dead
-- Takes back what a dead worker held. Crashes grow for the suspects only: the head of each run, and all unkeyed ones.
local function split_claim(value)
  local a = string.find(value, NUL, 1, true)
  local b = string.find(value, NUL, a + 1, true)
  return string.sub(value, a + 1, b - 1), string.sub(value, b + 1) -- element, key
end

-- A reap while in quarantine says little about the delivery and adds 10; every other crash adds 1 (delivery.ts, verdictOf).
local function crashed(element)
  local class, id, attempts, crashes, route = string.match(element, '^(%d):(%d+):(%d+):(%d+):(.+)$')
  if not class then class, id, attempts, crashes, route = class_of(element), id_of(element), 0, 0, 0 end
  crashes = tonumber(crashes)
  crashes = crashes + (crashes % 10 >= 2 and 10 or 1)
  local dead = crashes % 10 >= 3 or crashes >= 100
  return table.concat({ class, id, attempts, crashes, route }, ':'), dead
end

local function reap_key(key)
  local list = P .. ':k:' .. key
  local head = redis.call('LINDEX', list, 0)
  if not head then return end
  local element, dead = crashed(head)
  if dead then
    redis.call('LPOP', list)
    bury(element, key, 'CRASH_LIMIT')
    head = redis.call('LINDEX', list, 0)
  else
    redis.call('LSET', list, 0, element)
  end
  if head then redis.call('LPUSH', P .. ':r' .. class_of(head), key) end
end

-- Answers how many deliveries it took back.
local function reap(dead_wid)
  local held = redis.call('HGETALL', P .. ':c:' .. dead_wid)
  local keys, ready, left = {}, 0, {}
  for i = 2, #held, 2 do
    local element, key = split_claim(held[i])
    left[#left + 1] = element
    if key == '' then
      local again, dead = crashed(element)
      if dead then bury(again, '', 'CRASH_LIMIT') else redis.call('LPUSH', P .. ':w' .. class_of(again), again) end
      ready = ready + 1
    elseif not keys[key] then
      keys[key] = true
      reap_key(key)
      ready = ready + 1
    end
  end
  redis.call('DEL', P .. ':c:' .. dead_wid)
  leave_limits(dead_wid, left)
  redis.call('ZREM', P .. ':wk', dead_wid)
  redis.call('HDEL', P .. ':wi', dead_wid)
  wake(P, ready)
  return #held / 2
end

-- Reaps at most one worker whose claim ran out, never the caller itself: being late is no offence until others saw it.
-- Nobody is reaped until the living had time to beat after an outage: a last beat older than 3 s means that nobody could
-- write, and the next beat starts the grace.
local function reap_expired(caller)
  local expired = redis.call('ZRANGEBYSCORE', P .. ':wk', '-inf', now, 'LIMIT', 0, 2)
  local dead = expired[1] ~= caller and expired[1] or expired[2]
  if not dead then return 0 end
  local m = redis.call('HMGET', P .. ':m', 'beatAt', 'graceUntil')
  if now - tonumber(m[1] or 0) > 3000 or now < tonumber(m[2] or 0) then return 0 end
  return reap(dead)
end
