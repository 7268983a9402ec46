-- The leader of `control` saw a worker's connection close: its claims come back at once. KEYS: queue prefix, control's epoch.
-- ARGV: clock offset, epoch, wid, the info whose connection closed. Answers how many deliveries came back; -1 when the
-- worker has registered another connection meanwhile or is gone.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/reap
-- @include broker/lua/lib/refuse-epoch
if is_old_epoch(KEYS[2], ARGV[2]) then return redis.error_reply('FENCED stale epoch') end
if redis.call('HGET', P .. ':wi', ARGV[3]) ~= ARGV[4] then return -1 end
return reap(ARGV[3])
