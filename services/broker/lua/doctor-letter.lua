-- Whether a dead letter is whole: its time in x, what it was in xe, its body in j. KEYS: queue prefix.
-- ARGV: clock offset, repair, id, origin, its element and key as its envelope tells, '1' if it was seen in line. Answers codes.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/unique
-- @include broker/lua/lib/after
-- @include broker/lua/lib/memory
-- @include broker/lua/lib/doctor
local id, origin = ARGV[3], ARGV[4]
local at, letter = redis.call('ZSCORE', P .. ':x', id), redis.call('HGET', P .. ':xe', id)
local element, key = string.match(letter or '', '^(.-)%z.-%z(.*)$')
if not at and not letter then return said end
if redis.call('HEXISTS', P .. ':j', id) == 0 then
  say('letter-bodiless')
  if repairs then
    redis.call('ZREM', P .. ':x', id)
    redis.call('HDEL', P .. ':xe', id)
    forget_memories({ origin })
    redis.call('HDEL', P .. ':o', origin)
    ended({ origin })
  end
elseif letter and not at then
  local lives = ARGV[7] == '1' or claimer(P, id)
  say(lives and 'letter-alive' or 'letter-unlisted')
  if repairs and lives then redis.call('HDEL', P .. ':xe', id) end
  if repairs and not lives then redis.call('ZADD', P .. ':x', now, id) end
end
if at and #said == 0 and not (element and is_element(element) and id_of(element) == id) then
  say('letter-unnamed')
  if repairs then redis.call('HSET', P .. ':xe', id, ARGV[5] .. NUL .. 'what it had failed of is lost' .. NUL .. (key or ARGV[6])) end
end
return said
