-- How many runs fail: the field `failing` of m, `<ms> <sum>`, which forgets as flow does; and what failed last, `failed` of m,
-- `<ms> <text>`. An attempt that is made again has failed too.
local function failing_now()
  local at, sum = string.match(redis.call('HGET', P .. ':m', 'failing') or '', '^(%d+) (%S+)$')
  if not at then return 0 end
  return tonumber(sum) * math.exp(-math.max(0, now - tonumber(at)) / 1000 / FLOW_S)
end

local function note_failures(count, text)
  if count == 0 then return end
  local sum = string.format('%.4f', failing_now() + count)
  redis.call('HSET', P .. ':m', 'failing', decimal(now) .. ' ' .. sum)
  if text and text ~= '' then redis.call('HSET', P .. ':m', 'failed', decimal(now) .. ' ' .. text) end
end
