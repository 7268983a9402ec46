-- Whether a key is where it should be. KEYS: queue prefix. ARGV: clock offset, repair, key, number of claimers, claimers,
-- ids that were seen claimed under it. Answers codes.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/doctor-key
local n = tonumber(ARGV[4])
check_key(ARGV[3], { unpack(ARGV, 5, 4 + n) }, { unpack(ARGV, 5 + n) })
return said
