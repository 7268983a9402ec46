-- Takes in events of a platform, all or none: fence, dedupe, enqueue, resume state, a person's own line on the bus.
-- KEYS: queue prefix.
-- ARGV: clock offset, most deliveries, most bytes, unit ('' = no fence), epoch, fenced part ('all' | 'resume'),
-- number of events, of resume fields, of publish arguments (0 or 7; then there is one event), the deliveries in order,
-- the fields and values of the resume state behind the last one, the publish arguments.
-- Answers { 'fenced' }, and nothing is written; or { 'taken', id, 1 if duplicate else 0, … }, in the order given.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/effects
-- @include broker/lua/lib/refuse-epoch
local unit, n, fields, publishing = ARGV[4], tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local current = unit == '' or not is_old_epoch(TAG .. ':epoch:' .. unit, ARGV[5])
if not current and ARGV[6] == 'all' then return { 'fenced' } end
if redis.call('HLEN', P .. ':j') + n > tonumber(ARGV[2])
  or tonumber(redis.call('HGET', P .. ':m', 'bodyBytes') or '0') > tonumber(ARGV[3]) then
  return redis.error_reply('FULL queue is at its limit')
end
local ids, duplicates, on = enqueue(P, ARGV, 10, n)
if current and fields > 0 then
  redis.call('HSET', TAG .. ':resume:' .. unit, 'epoch', ARGV[5], unpack(ARGV, on, on + 2 * fields - 1))
end
if publishing > 0 and not duplicates[1] then publish(ARGV, on + 2 * fields) end
local reply = { 'taken' }
for i, id in ipairs(ids) do
  reply[2 * i] = id
  reply[2 * i + 1] = duplicates[i] and 1 or 0
end
return reply
