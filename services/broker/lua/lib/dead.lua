-- Dead letters keep their bodies in j. x orders them by time; xe says what each was: element NUL reason NUL key.
local function bury(element, key, reason)
  local id = id_of(element)
  if redis.call('HEXISTS', P .. ':j', id) == 0 then return end -- cancelled, or it goes on under another number
  redis.call('ZADD', P .. ':x', now, id)
  redis.call('HSET', P .. ':xe', id, element .. NUL .. (string.gsub(reason, '%z', ' ')) .. NUL .. key)
end

-- The element and key of a dead letter, which is one no more; nil when it is none.
local function unbury(id)
  local letter = redis.call('HGET', P .. ':xe', id)
  if not letter then return end
  redis.call('HDEL', P .. ':xe', id)
  redis.call('ZREM', P .. ':x', id)
  local a = string.find(letter, NUL, 1, true)
  local b = string.find(letter, NUL, a + 1, true)
  return string.sub(letter, 1, a - 1), string.sub(letter, b + 1)
end
