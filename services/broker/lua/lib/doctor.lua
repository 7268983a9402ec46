-- What the scripts of the doctor share. ARGV[2]: '1' = mend what is wrong; else nothing is written. Each looks at one thing,
-- at one moment, and answers what is wrong with it, as codes (broker/doctor-sentences.ts).
local repairs = ARGV[2] == '1'
local said = {}
local SEARCHED_MAX = 500000 -- of a longer list only the ends are searched; Redis compares 30 entries per µs

local function say(code)
  said[#said + 1] = code
end

-- How often a value is in a list, and whether that is sure: of a long one only the ends are searched.
local function count_in(list, value)
  if redis.call('LLEN', list) <= SEARCHED_MAX then return #redis.call('LPOS', list, value, 'COUNT', 0), true end
  local half, n = SEARCHED_MAX / 2, 0
  for _, rank in ipairs({ 1, -1 }) do
    n = n + #redis.call('LPOS', list, value, 'RANK', rank, 'COUNT', 0, 'MAXLEN', half)
  end
  return n, false
end
