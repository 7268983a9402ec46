-- @include broker/lua/lib/limits
-- @include broker/lua/lib/doctor
-- Where a key is, and where it should be. `wids`: everybody who may hold it; `ids`: deliveries of it that were seen claimed.

local function split_claim_of(value)
  local a = string.find(value, NUL, 1, true)
  local b = a and string.find(value, NUL, a + 1, true)
  if b then return string.sub(value, 1, a - 1), string.sub(value, a + 1, b - 1), string.sub(value, b + 1) end
end

-- The claims of the key by worker: id -> element, and the fence.
local function claims_of_key(key, wids, ids)
  local holders = {}
  for _, wid in ipairs(wids) do
    local values, claims = #ids > 0 and redis.call('HMGET', P .. ':c:' .. wid, unpack(ids)) or {}, { wid = wid, n = 0, fence = 0, elements = {} }
    for i, value in ipairs(values) do
      local fence, element, of = split_claim_of(value or '')
      if of == key then
        claims.elements[ids[i]], claims.n, claims.fence = element, claims.n + 1, math.max(claims.fence, tonumber(fence) or 0)
      end
    end
    if claims.n > 0 then holders[#holders + 1] = claims end
  end
  table.sort(holders, function(a, b) return a.fence > b.fence end)
  return holders
end

local function unclaim(wid, id, element)
  redis.call('HDEL', P .. ':c:' .. wid, id)
  leave_limits(wid, { element })
end

-- How many of the list's first elements this worker has claimed.
local function prefix_of(claims, run)
  local prefix = 0
  while run[prefix + 1] and claims.elements[id_of(run[prefix + 1])] == run[prefix + 1] do prefix = prefix + 1 end
  return prefix
end

local function is_not_in(list, value)
  local n, is_sure = count_in(list, value)
  return n == 0 and is_sure
end

-- Puts elements that are claimed and not in the list back at its head. False: nothing was missing.
local function relist(list, claims)
  local missing, run = {}, {}
  for _, element in ipairs(redis.call('LRANGE', list, 0, RUN_MAX - 1)) do
    run[id_of(element) or ''] = true
  end
  for id, element in pairs(claims.elements) do
    if not run[id] and redis.call('HEXISTS', P .. ':j', id) == 1 and is_not_in(list, element) then missing[#missing + 1] = element end
  end
  if #missing == 0 or not redis.call('ZSCORE', P .. ':wk', claims.wid) then return false end
  table.sort(missing, function(a, b) return tonumber(id_of(a)) > tonumber(id_of(b)) end)
  if repairs then redis.call('LPUSH', list, unpack(missing)) end
  return true
end

-- Answers who holds the key; claims that are no prefix of its list come to nothing.
local function check_claims(list, holders)
  local holder
  for _, claims in ipairs(holders) do
    if not holder and relist(list, claims) then
      say('claim-unlisted')
      if not repairs then return claims end
    end
    local run = redis.call('LRANGE', list, 0, RUN_MAX - 1)
    local prefix = holder and 0 or prefix_of(claims, run)
    if prefix > 0 then holder = claims end
    for i = 1, prefix do
      claims.elements[id_of(run[i])] = nil
    end
    for id, element in pairs(claims.elements) do
      say(holder and holder ~= claims and 'claim-second' or 'claim-no-prefix')
      if repairs then unclaim(claims.wid, id, element) end
    end
  end
  return holder
end

local function remove_from_rings(key, but)
  for class = 0, 3 do
    if class ~= but then redis.call('LREM', P .. ':r' .. class, 0, key) end
  end
end

-- Into the one place where the key belongs. `where`: none, claim, parked, ring.
local function put_key(key, where, class, in_ring)
  if where ~= 'parked' then redis.call('ZREM', P .. ':d', 'K' .. key) end
  if where ~= 'ring' then return remove_from_rings(key) end
  remove_from_rings(key, class)
  if in_ring > 1 then redis.call('LREM', P .. ':r' .. class, 1 - in_ring, key) end
  if in_ring > 0 then return end
  redis.call('RPUSH', P .. ':r' .. class, key)
  wake(P, 1)
end

local function check_key(key, wids, ids)
  local list = P .. ':k:' .. key
  local known = {}
  for _, id in ipairs(ids) do known[id] = true end
  for _, element in ipairs(redis.call('LRANGE', list, 0, RUN_MAX - 1)) do
    local id = id_of(element)
    if id and not known[id] then ids[#ids + 1] = id end
  end
  local holder = check_claims(list, claims_of_key(key, wids, ids))
  local head, parked = redis.call('LINDEX', list, 0), redis.call('ZSCORE', P .. ':d', 'K' .. key)
  if head and not is_element(head) then return end -- said for itself
  local class, in_ring, in_all, is_sure = head and tonumber(class_of(head)), 0, 0, true
  for c = 0, 3 do
    local n, all = count_in(P .. ':r' .. c, key)
    in_all, is_sure = in_all + n, is_sure and all
    if c == class then in_ring = n end
  end
  -- In line and waiting: in line, for a take looks at limits and pauses again, while the due time may be as wrong as the rest.
  local where = not head and 'none' or holder and 'claim' or parked and in_all == 0 and 'parked' or 'ring'
  if parked and where ~= 'parked' then say('parked-' .. where) end
  if where == 'ring' then
    if in_all == 0 then
      if not is_sure then return end
      say('key-nowhere')
    elseif in_all > 1 then
      say('ring-twice')
    elseif in_ring == 0 then
      say('ring-class')
    end
  elseif in_all > 0 then
    say('ring-' .. where)
  end
  if repairs and #said > 0 then put_key(key, where, class, in_ring) end
end
