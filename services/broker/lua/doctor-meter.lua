-- Whether the queue's figures are right. A sum of many bodies counts only if nothing came or went meanwhile. KEYS: queue prefix.
-- ARGV: clock offset, repair, then what somebody saw: sum of bytes kept apart, and before it bodyBytes, last id, number of bodies.
-- Of the history: that its chunks can be read, and that their lines are counted. Answers codes.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/bodies
-- @include broker/lua/lib/doctor
local HISTORY_MAX = 20000 -- elements; a longer one is not read
local bytes, count = redis.call('HGET', P .. ':m', 'bodyBytes') or '0', redis.call('HLEN', P .. ':j')
local is_still = bytes == ARGV[4] and (redis.call('GET', TAG .. ':seq') or '0') == ARGV[5] and decimal(count) == ARGV[6]
local sum = is_still and tonumber(ARGV[3]) or nil
if count <= 1000 then
  sum = 0
  for _, body in ipairs(redis.call('HVALS', P .. ':j')) do
    local token = body_token(body)
    if token then sum = sum + body_bytes(token) end
  end
end
if sum and sum ~= tonumber(bytes) then
  say('bytes-wrong')
  if repairs then redis.call('HSET', P .. ':m', 'bodyBytes', decimal(sum)) end
end
if tonumber(redis.call('HGET', P .. ':m', 'graceUntil') or '0') > now + 12 * CLAIM_MS then
  say('grace-for-ever')
  if repairs then redis.call('HDEL', P .. ':m', 'graceUntil') end
end

-- Chunks as lib/history writes them: a head, then the lines. What cannot be read would never be trimmed.
local list, kept, lines, is_torn = redis.call('LLEN', P .. ':h') <= HISTORY_MAX and redis.call('LRANGE', P .. ':h', 0, -1), {}, 0, false
local at = 1
while list and list[at] do
  local n = string.match(list[at], '^(%d+) %d+ ')
  if n and list[at + 1] and not string.match(list[at + 1], '^%d+ %d+ %S+$') then
    kept[#kept + 1], kept[#kept + 2], lines, at = list[at], list[at + 1], lines + tonumber(n), at + 2
  else
    is_torn, at = true, at + 1
  end
end
if list and (is_torn or lines ~= tonumber(redis.call('HGET', P .. ':m', 'history') or '0')) then
  say('history-torn')
  if repairs then
    if is_torn then redis.call('DEL', P .. ':h') end
    for i = 1, is_torn and #kept or 0 do
      redis.call('RPUSH', P .. ':h', kept[i])
    end
    redis.call('HSET', P .. ':m', 'history', decimal(lines))
  end
end
return said
