-- Takes in one platform event: fence, dedupe, enqueue, resume state, the person's own line on the bus. KEYS: queue prefix.
-- ARGV: clock offset, most deliveries, most bytes, unit ('' = no fence), epoch, fenced part ('all' | 'resume'),
-- number of resume fields, number of publish arguments (0 or 6), the delivery, the fields and values, the publish arguments.
-- Answers { 'stored' | 'duplicate' | 'fenced', id }. Nothing is written when the answer is 'fenced'.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/effects
-- @include broker/lua/lib/refuse-epoch
local unit, fields, publishing = ARGV[4], tonumber(ARGV[7]), tonumber(ARGV[8])
local current = unit == '' or not is_old_epoch(TAG .. ':epoch:' .. unit, ARGV[5])
if not current and ARGV[6] == 'all' then return { 'fenced', '' } end
if redis.call('HLEN', P .. ':j') >= tonumber(ARGV[2])
  or tonumber(redis.call('HGET', P .. ':m', 'bodyBytes') or '0') > tonumber(ARGV[3]) then
  return redis.error_reply('FULL queue is at its limit')
end
local ids, duplicates, on = enqueue(P, ARGV, 9, 1)
if current and fields > 0 then
  redis.call('HSET', TAG .. ':resume:' .. unit, 'epoch', ARGV[5], unpack(ARGV, on, on + 2 * fields - 1))
end
if publishing > 0 and not duplicates[1] then publish(ARGV, on + 2 * fields) end
return { duplicates[1] and 'duplicate' or 'stored', ids[1] }
