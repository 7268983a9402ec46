-- Claims work for free slots; promotes what is due; reaps one worker whose claim ran out. KEYS: queue prefix.
-- ARGV: clock offset, wid, bell, slots, run quantum, class order. Answers as lib/take.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/guard-worker
-- @include broker/lua/lib/reap
-- @include broker/lua/lib/take
if is_fenced(ARGV[2]) then return redis.error_reply('FENCED worker is not registered') end
reap_expired(ARGV[2])
local reply, left, promoted = take(ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6])
if left == 0 and promoted > 0 then wake(P, promoted) end
return reply
