-- What an outbox's claimer holds, for resync after a lost reply. KEYS: queue prefix, the unit's epoch.
-- ARGV: clock offset, claimer. Answers as lib/held.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/guard-leader
-- @include broker/lua/lib/held
if is_fenced(ARGV[2]) then return redis.error_reply('FENCED stale epoch') end
return held(ARGV[2])
