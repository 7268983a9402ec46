-- When one of these entries of d is due. Changes nothing. KEYS: queue prefix. ARGV: clock offset, entries.
-- Answers ms as text, or false: none is there.
-- @include broker/lua/lib/base
for i = 2, #ARGV do
  local due = redis.call('ZSCORE', P .. ':d', ARGV[i])
  if due then return due end
end
return false
