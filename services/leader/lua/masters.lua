-- A master says that it is there, and hears who else is. Those that said nothing for too long are forgotten.
--
-- KEYS: 1 masters (process -> time of its last beat), 2 what each says of itself
-- ARGV: 1 how long a beat counts, ms; a master adds: 2 process, 3 what it says ('' = it leaves), 4 ms since it started
-- Output: process, ms since 1970 when it started, what it says, …
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local oldest = now - tonumber(ARGV[1])
if ARGV[2] then
  local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', oldest)
  if ARGV[3] == '' then gone[#gone + 1] = ARGV[2] end
  for _, process in ipairs(gone) do
    redis.call('ZREM', KEYS[1], process)
    redis.call('HDEL', KEYS[2], process)
  end
  if ARGV[3] ~= '' then
    redis.call('ZADD', KEYS[1], now, ARGV[2])
    redis.call('HSET', KEYS[2], ARGV[2], string.format('%.0f', now - tonumber(ARGV[4])) .. ' ' .. ARGV[3])
  end
end
local reply = {}
for _, process in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. oldest, '+inf')) do
  local started, said = string.match(redis.call('HGET', KEYS[2], process) or '', '^(%d+) (.*)$')
  if started then
    reply[#reply + 1] = process
    reply[#reply + 1] = started
    reply[#reply + 1] = said
  end
end
return reply
