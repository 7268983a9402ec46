-- What the schedules look like now. KEYS: their prefix. ARGV: clock offset, most slots.
-- Answers { now ms, version, id, slot ms, … }, the earliest slots first.
-- @include broker/lua/lib/base
local reply = { decimal(now), redis.call('HGET', P .. ':so', '') or '0' }
for _, value in ipairs(redis.call('ZRANGE', P .. ':s', 0, ARGV[2] - 1, 'WITHSCORES')) do
  reply[#reply + 1] = value
end
return reply
