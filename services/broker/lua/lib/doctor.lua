-- What the scripts of the doctor share. ARGV[2]: '1' = mend what is wrong; else nothing is written. Each looks at one thing,
-- at one moment, and answers what is wrong with it, as codes (broker/doctor-sentences.ts).
local repairs = ARGV[2] == '1'
local said = {}
local SEARCHED_MAX = 500000 -- a longer list is not searched; 30 ms per million

local function say(code)
  said[#said + 1] = code
end

-- How often a value is in a list; nil when the list is too long to know.
local function count_in(list, value)
  if redis.call('LLEN', list) > SEARCHED_MAX then return nil end
  return #redis.call('LPOS', list, value, 'COUNT', 0)
end

local function is_element(text)
  return string.match(text, '^[0-3]:%d+:%d+:%d+:%d+!?$') ~= nil
end
