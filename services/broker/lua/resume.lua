-- Ends a pause and looks at what was put aside for it, 64 at a time. KEYS: queue prefix.
-- ARGV: clock offset, what (queue | r<route> | k<key>), how many entries were passed over before.
-- Answers how many are passed over by now; -1 = that were all. What another pause holds back is put aside again by a take.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/limits
local what, passed = ARGV[2], tonumber(ARGV[3])
redis.call('HDEL', P .. ':pauses', what)

local function is_meant(entry)
  local rest = string.sub(entry, 2)
  if string.byte(entry) == 75 then -- K: a parked key
    if what == 'k' .. rest then return true end
    local head = redis.call('LINDEX', P .. ':k:' .. rest, 0)
    return head and what == 'r' .. route_of(head)
  end
  local element = string.sub(rest, 1, (string.find(rest, NUL, 1, true) or 0) - 1)
  return what == 'r' .. route_of(element) and redis.call('HEXISTS', TAG .. ':held', id_of(element)) == 0
end

local entries, resumed = redis.call('ZRANGEBYSCORE', P .. ':d', '+inf', '+inf', 'LIMIT', passed, 64), 0
for _, entry in ipairs(entries) do
  if is_meant(entry) then
    redis.call('ZADD', P .. ':d', 'XX', now, entry)
    resumed = resumed + 1
  else
    passed = passed + 1
  end
end
wake(P, what == 'queue' and 1000 or resumed)
return #entries < 64 and -1 or passed
