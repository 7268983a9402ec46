-- Dead letters run again under their ids, with no failures and no crashes counted; what they had said is remembered.
-- KEYS: queue prefix. ARGV: clock offset, ids. Answers how many.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/dead
local ready, retried = 0, 0
for i = 2, #ARGV do
  local element, key = unbury(ARGV[i])
  if element then
    local class, id, route = string.match(element, '^(%d):(%d+):%d+:%d+:(.+)$')
    element = table.concat({ class, id, 0, 0, route }, ':')
    retried = retried + 1
    if key == '' then
      redis.call('RPUSH', P .. ':w' .. class, element)
      ready = ready + 1
    elseif redis.call('RPUSH', P .. ':k:' .. key, element) == 1 then
      redis.call('RPUSH', P .. ':r' .. class, key)
      ready = ready + 1
    end
  end
end
wake(P, ready)
return retried
