-- Whether a key is where it should be. KEYS: queue prefix. ARGV: clock offset, repair, key, number of claimers, claimers that
-- may not be registered, ids that were seen claimed under it. Answers codes.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/doctor-key
local n = tonumber(ARGV[4])
local wids, known = redis.call('ZRANGE', P .. ':wk', 0, -1), {}
for _, wid in ipairs(wids) do known[wid] = true end
for i = 5, 4 + n do
  if not known[ARGV[i]] then wids[#wids + 1] = ARGV[i] end
end
check_key(ARGV[3], wids, { unpack(ARGV, 5 + n) })
return said
