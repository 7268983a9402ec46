-- Claims Actions of a unit's outbox. KEYS: queue prefix, the unit's epoch.
-- ARGV: clock offset, claimer (<unit>:<epoch>), bell, slots, run quantum, class order. Answers as lib/take.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/guard-leader
-- @include broker/lua/lib/take
if is_fenced(ARGV[2]) then return redis.error_reply('FENCED stale epoch') end
local reply = take(ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6])
return reply
