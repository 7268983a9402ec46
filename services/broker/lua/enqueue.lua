-- Adds a batch of deliveries. KEYS: queue prefix.
-- ARGV: clock offset, most deliveries, most bytes of large bodies, producer, batch, n, then n deliveries as in lib/enqueue.
-- Answers { id, 1 if duplicate else 0, … }; { id of the first } where all are new, for their ids follow each other.
-- A batch sent again after a lost reply gets the same answer.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/enqueue
local batches, batch, n = P .. ':pr:' .. ARGV[4], ARGV[5], tonumber(ARGV[6])
local known = redis.call('HGET', batches, batch)
local reply = {}
if known then
  for field in string.gmatch(known, '%d+') do
    reply[#reply + 1] = field
  end
  return reply
end
if redis.call('HLEN', P .. ':j') + n > tonumber(ARGV[2])
  or tonumber(redis.call('HGET', P .. ':m', 'bodyBytes') or '0') > tonumber(ARGV[3]) then
  return redis.error_reply('FULL queue is at its limit')
end
local ids, duplicates = enqueue(P, ARGV, 7, n)
if next(duplicates) then
  for i, id in ipairs(ids) do
    reply[2 * i - 1] = id
    reply[2 * i] = duplicates[i] and '1' or '0'
  end
else
  reply[1] = ids[1]
end
redis.call('HSET', batches, batch, table.concat(reply, ','))
redis.call('HDEL', batches, tonumber(batch) - 64)
redis.call('PEXPIRE', batches, 3600000)
return reply
