-- Where a delivery is. Changes nothing. KEYS: the set of queues. ARGV: clock offset, id, origin, then elements it may have
-- (suffixes after the id, as ':0:0:12').
-- Answers { queue, number, 'dead' | 'held' | 'claimed' | 'delayed' | 'waiting', worker or '', due ms or '' }, or false.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/unique
local origin = ARGV[3]
for _, queue in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  P = TAG .. ':q:' .. queue
  local id = redis.call('HGET', P .. ':o', origin) or ARGV[2]
  if redis.call('HEXISTS', P .. ':j', id) == 1 then
    if redis.call('ZSCORE', P .. ':x', id) then return { queue, id, 'dead', '', '' } end
    if redis.call('HEXISTS', TAG .. ':held', id) == 1 then return { queue, id, 'held', '', '' } end
    local wid = claimer(P, id)
    if wid then return { queue, id, 'claimed', wid, '' } end
    return { queue, id, 'waiting', '', '' }
  end
end
return false
