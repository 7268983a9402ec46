-- Whether a claimer's claims and registration belong together. What it holds without right goes back, uncounted.
-- KEYS: queue prefix. ARGV: clock offset, repair, wid. Answers codes.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/doctor-key
local wid = ARGV[3]
local until_ms = redis.call('ZSCORE', P .. ':wk', wid)
local has_info = redis.call('HEXISTS', P .. ':wi', wid) == 1
local is_outbox = string.find(P, ':q:outbox/', 1, true) ~= nil

local function put_back(held)
  local keys, ready = {}, 0
  for i = 1, #held, 2 do
    local _, element, key = split_claim_of(held[i + 1])
    if is_outbox then redis.call('HSETNX', P .. ':doubt', held[i], now) end
    if key == '' then
      redis.call('LPUSH', P .. ':w' .. class_of(element), element)
      ready = ready + 1
    elseif key then
      keys[key] = true
    end
    if element then leave_limits(wid, { element }) end
  end
  redis.call('DEL', P .. ':c:' .. wid)
  local others = redis.call('ZRANGE', P .. ':wk', 0, -1)
  for key in pairs(keys) do
    check_key(key, others, {})
  end
  wake(P, ready)
end

local held = redis.call('HGETALL', P .. ':c:' .. wid)
for i = 1, #held, 2 do
  local _, element, key = split_claim_of(held[i + 1])
  if not key or not is_element(element) or id_of(element) ~= held[i] then
    if repairs then redis.call('HDEL', P .. ':c:' .. wid, held[i]) end
    if #said == 0 then say('claim-unreadable') end
  end
end
if #said > 0 then return said end

if until_ms and not is_outbox then
  if not has_info then
    if repairs then
      redis.call('ZREM', P .. ':wk', wid)
      put_back(held)
    end
    return { 'worker-unnamed' }
  end
  if tonumber(until_ms) > now + 12 * CLAIM_MS then
    if repairs then redis.call('ZADD', P .. ':wk', now + CLAIM_MS, wid) end
    return { 'worker-immortal' }
  end
elseif not until_ms then
  if repairs and #held > 0 then put_back(held) end
  if repairs then redis.call('HDEL', P .. ':wi', wid) end
  said = {}
  if #held > 0 then say('claims-unregistered') end
  if has_info then say('info-unregistered') end
end
return said
