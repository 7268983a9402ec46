-- Pauses and limits: whether what could be claimed may be claimed now. Nothing here costs more than one look per call
-- while there are none. A rate is a GCRA: `gcra` holds when the limiter's next turn is due; a burst lets turns come early.
-- Source: ITU-T I.371, the virtual scheduling algorithm.

local ASIDE_MAX = 64 -- keys and deliveries put aside per take
local BUSY_MS = 250 -- when what found its concurrency limit reached is looked at again

-- Whether anything is limited, paused, awaited by others or remembered by its origin: one look for all that is rare.
local has_rules = redis.call('EXISTS', TAG .. ':limits', P .. ':pauses', TAG .. ':after', P .. ':em') > 0

-- limits: '<rate> <per ms> <burst> <key|route> <concurrency>', 0 = none.
local function read_limit(text)
  local rate, per, burst, by, most = string.match(text, '^(%d+) (%d+) (%d+) (%l+) (%d+)$')
  return { rate = tonumber(rate), every = tonumber(per) / math.max(1, tonumber(rate)), burst = tonumber(burst), by = by, most = tonumber(most) }
end

local function read_rules()
  if not has_rules then return end
  local limits, pauses = redis.call('HGETALL', TAG .. ':limits'), redis.call('HGETALL', P .. ':pauses')
  if #limits == 0 and #pauses == 0 then return end
  local rules = { limits = {}, pauses = {}, limited = #limits > 0, queue = string.match(P, ':q:(.*)$'), aside = 0, fresh = {} }
  for i = 1, #limits, 2 do
    rules.limits[limits[i]] = read_limit(limits[i + 1])
  end
  for i = 1, #pauses, 2 do
    rules.pauses[pauses[i]] = true
  end
  if rules.limited then redis.call('ZREMRANGEBYSCORE', TAG .. ':gcra', '-inf', now) end
  return rules
end

local function route_of(element)
  return string.match(element, '(%d+)!?$') or ''
end

-- The limits of a delivery, each with the name of its limiter.
local function limits_of(rules, element, key)
  local list, route = {}, 'r' .. route_of(element)
  local of_queue, of_route = rules.limits['q' .. rules.queue], rules.limits[route]
  if of_queue then list[1] = { limit = of_queue, name = 'q' .. rules.queue, running = 'q' .. rules.queue } end
  if of_route then
    list[#list + 1] = { limit = of_route, name = of_route.by == 'key' and route .. NUL .. key or route, running = route }
  end
  return list
end

local function member(wid, id)
  return P .. NUL .. wid .. NUL .. id
end

-- Takes out what is claimed no more; at most once a second, for nothing should be. `fresh`: what this take is about to claim.
local function prune(name, fresh)
  if not redis.call('SET', TAG .. ':pruned:' .. name, '', 'NX', 'PX', 1000) then return end
  for _, running in ipairs(redis.call('SMEMBERS', TAG .. ':l:' .. name)) do
    local queue, wid, id = string.match(running, '^(.-)%z(.-)%z(%d+)$')
    if not fresh[running] and redis.call('HEXISTS', queue .. ':c:' .. wid, id) == 0 then
      redis.call('SREM', TAG .. ':l:' .. name, running)
    end
  end
end

local function is_full(entry, fresh)
  local most = entry.limit.most
  if most == 0 or redis.call('SCARD', TAG .. ':l:' .. entry.running) < most then return false end
  prune(entry.running, fresh)
  return redis.call('SCARD', TAG .. ':l:' .. entry.running) >= most
end

-- When the next turn of a rate comes, and when the one after it would.
local function turn(entry)
  local limit = entry.limit
  local due = math.max(tonumber(redis.call('ZSCORE', TAG .. ':gcra', entry.name) or now), now)
  return due - (limit.burst - 1) * limit.every, due + limit.every
end

local function spend_turns(entries)
  for _, entry in ipairs(entries) do
    if entry.limit.rate > 0 then
      local _, after = turn(entry)
      redis.call('ZADD', TAG .. ':gcra', after, entry.name)
    end
  end
end

-- Whether a delivery may be claimed now; else until when not (ms, 'inf' = until resumed), and whether its turn may be reserved.
local function admit(rules, wid, element, key)
  local pauses = rules.pauses
  if pauses['r' .. route_of(element)] or key ~= '' and pauses['k' .. key] then return false, 'inf' end
  if not rules.limited then return true end
  local entries, due = limits_of(rules, element, key), now
  for _, entry in ipairs(entries) do
    if is_full(entry, rules.fresh) then return false, now + BUSY_MS end
  end
  if string.sub(element, -1) ~= '!' then -- its turn has not been reserved
    for _, entry in ipairs(entries) do
      if entry.limit.rate > 0 then due = math.max(due, (turn(entry))) end
    end
    if due > now then return false, due, entries end
    spend_turns(entries)
  end
  for _, entry in ipairs(entries) do
    if entry.limit.most > 0 then
      local running = member(wid, id_of(element))
      redis.call('SADD', TAG .. ':l:' .. entry.running, running)
      rules.fresh[running] = true
    end
  end
  return true
end

-- Claims of these elements are no more. Keys do not matter: concurrency is counted per route and queue.
local function leave_limits(wid, elements)
  if not has_rules or #elements == 0 then return end
  local limits = redis.call('HKEYS', TAG .. ':limits')
  if #limits == 0 then return end
  local known = {}
  for _, name in ipairs(limits) do
    known[name] = true
  end
  local queue = 'q' .. string.match(P, ':q:(.*)$')
  for _, element in ipairs(elements) do
    local route, running = 'r' .. route_of(element), member(wid, id_of(element))
    if known[route] then redis.call('SREM', TAG .. ':l:' .. route, running) end
    if known[queue] then redis.call('SREM', TAG .. ':l:' .. queue, running) end
  end
end
