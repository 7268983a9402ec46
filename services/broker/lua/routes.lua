-- Gives each route id a number, once and for ever. KEYS: the registry. ARGV: route ids. Answers their numbers.
local numbers = {}
for i, id in ipairs(ARGV) do
  local number = redis.call('HGET', KEYS[1], id)
  if not number then
    number = redis.call('HINCRBY', KEYS[1], '', 1) -- the empty field counts
    redis.call('HSET', KEYS[1], id, number)
  end
  numbers[i] = tonumber(number)
end
return numbers
