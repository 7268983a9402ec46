-- Whether the queue's figures are right. A sum of many bodies counts only if nothing came or went meanwhile. KEYS: queue prefix.
-- ARGV: clock offset, repair, then what somebody saw: sum of bytes kept apart, and before it bodyBytes, last id, number of bodies.
-- Answers codes.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/bodies
-- @include broker/lua/lib/doctor
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
return said
