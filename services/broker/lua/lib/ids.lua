-- The two forms of an id: decimal, as stored, and base 36, as people see it. Numbers are below 2^53; tonumber(text, 36) would
-- go through an unsigned long, which has 32 bits in WebAssembly.
local DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz'

local function public_id(id)
  local number, text = tonumber(id), ''
  repeat
    local digit = number % 36
    text = string.sub(DIGITS, digit + 1, digit + 1) .. text
    number = (number - digit) / 36
  until number == 0
  return text
end

local function number_of(public)
  local number = 0
  for i = 1, #public do
    number = number * 36 + string.find(DIGITS, string.sub(public, i, i), 1, true) - 1
  end
  return decimal(number)
end
