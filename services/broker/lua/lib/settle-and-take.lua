-- The end of a settle: the next take, or a bell for others. `released`: keys that became ready. ARGV as in settle.
local function settle_and_take(answers, released)
  local slots = tonumber(ARGV[4])
  if slots == 0 then
    wake(P, released)
    return { answers, false }
  end
  local reply, left, promoted = take(ARGV[2], ARGV[3], slots, tonumber(ARGV[5]), ARGV[6])
  if left == 0 then wake(P, math.max(0, released + promoted - slots)) end
  return { answers, reply }
end
