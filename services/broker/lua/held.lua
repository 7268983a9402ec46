-- What a worker holds, for resync after a lost reply. KEYS: queue prefix. ARGV: clock offset, wid. Answers as lib/held.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/guard-worker
-- @include broker/lua/lib/held
if is_fenced(ARGV[2]) then return redis.error_reply('FENCED worker is not registered') end
return held(ARGV[2])
