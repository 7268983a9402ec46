-- Delayed deliveries and parked keys that have come due go back in line.

local function next_due()
  return redis.call('ZRANGE', P .. ':d', 0, 0, 'WITHSCORES')[2]
end

local UNREADABLE_MAX = 1000

-- What cannot be read goes out of the line, for the doctor: it must neither stop whoever meets it nor be lost.
local function put_by(place, key, text)
  redis.call('LPUSH', P .. ':unreadable', place .. NUL .. key .. NUL .. text)
  redis.call('LTRIM', P .. ':unreadable', 0, UNREADABLE_MAX - 1)
end

local function promote_entry(entry)
  local rest = string.sub(entry, 2)
  if string.byte(entry) == 75 then -- K: parked -> ring
    local head = redis.call('LINDEX', P .. ':k:' .. rest, 0)
    if head then redis.call('RPUSH', P .. ':r' .. class_of(head), rest) end
    return
  end
  local cut = string.find(rest, NUL, 1, true)
  if not cut then return put_by('d', '', entry) end
  local element, key = string.sub(rest, 1, cut - 1), string.sub(rest, cut + 1)
  if key == '' then
    redis.call('RPUSH', P .. ':w' .. class_of(element), element)
  elseif redis.call('RPUSH', P .. ':k:' .. key, element) == 1 then
    redis.call('RPUSH', P .. ':r' .. class_of(element), key)
  end
end

-- Moves at most 64 entries that are due to where they can be claimed; answers how many, and when the next is due (text).
local function promote()
  local first = next_due()
  if not first or tonumber(first) > now then return 0, first end
  local due = redis.call('ZRANGEBYSCORE', P .. ':d', '-inf', now, 'LIMIT', 0, 64)
  redis.call('ZREM', P .. ':d', unpack(due))
  for _, entry in ipairs(due) do
    promote_entry(entry)
  end
  return #due, next_due()
end
