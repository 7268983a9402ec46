-- Whether something in line can be read, and whether what has no due time is held back by anybody. KEYS: queue prefix.
-- ARGV: clock offset, repair, place (d, w<class> or k), key of the list k, the entry or element. Answers codes.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/doctor-key
local place, key, entry = ARGV[3], ARGV[4], ARGV[5]

local function is_held(kind, rest)
  local element, of = string.match(rest, '^(.-)%z(.*)$')
  if kind == 'K' then
    element, of = redis.call('LINDEX', P .. ':k:' .. rest, 0), rest
    if not element then return true end -- said by its key
  elseif redis.call('HEXISTS', TAG .. ':held', id_of(element)) == 1 then
    return true
  end
  local by_route = redis.call('HEXISTS', P .. ':pauses', 'r' .. (route_of(element) or ''))
  return by_route == 1 or redis.call('HEXISTS', P .. ':pauses', 'k' .. of) == 1
end

if place == 'd' then
  local due = redis.call('ZSCORE', P .. ':d', entry)
  if not due then return said end
  local kind, rest = string.sub(entry, 1, 1), string.sub(entry, 2)
  local element = string.match(rest, '^(.-)%z')
  if kind == 'K' and rest ~= '' or kind == 'J' and element and is_element(element) then
    if due ~= 'inf' or is_held(kind, rest) then return said end
    if repairs then
      redis.call('ZADD', P .. ':d', 'XX', now, entry)
      wake(P, 1)
    end
    return { 'stuck' }
  end
  if repairs then redis.call('ZREM', P .. ':d', entry) end
  return { 'unreadable' }
end
local list = place == 'k' and P .. ':k:' .. key or P .. ':' .. place
if is_element(entry) or count_in(list, entry) == 0 then return said end
if repairs then
  redis.call('LREM', list, 0, entry)
  if place == 'k' then check_key(key, redis.call('ZRANGE', P .. ':wk', 0, -1), {}) end
end
return { 'unreadable' }
