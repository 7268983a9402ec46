-- How much goes through the queue: the field `flow` of m. Nine numbers: when it was counted last (ms) and how much waited then,
-- arrivals per second, deliveries that finished, ms that they ran, ms that slots were taken, ms that threads were busy for that,
-- finished since it was counted last, when nothing was ready last (ms, 0 = never seen). Rates and sums forget within FLOW_S.
local FLOW_S = 30

-- What may run or runs: all but dead letters and what is due later, held or set aside.
local function backlog()
  local later = redis.call('ZCARD', P .. ':d') - redis.call('ZCOUNT', P .. ':d', '-inf', now)
  return redis.call('HLEN', P .. ':j') - redis.call('ZCARD', P .. ':x') - later
end

-- What cannot be read, as after a failover to a server that never had it, begins anew; so does the interval when the clock was
-- set back.
local function read_flow(text)
  local n = {}
  for number in string.gmatch(text or '', '%S+') do
    n[#n + 1] = tonumber(number)
  end
  if #n ~= 9 then n = { now, backlog(), 0, 0, 0, 0, 0, 0, 0 } end
  local is_back = n[1] > now
  return {
    at = is_back and now or n[1], waiting = is_back and backlog() or n[2], arrivals = n[3], finished = n[4], run = n[5],
    held = n[6], busy = n[7], fresh = n[8], empty = math.min(n[9], now),
  }
end

-- Once a second, whoever of the workers comes first. What has finished and what is left is what had come. Of the sums only the
-- proportions are of use, so what was known last stays known however long nothing runs.
local function count_flow(flow)
  local passed = (now - flow.at) / 1000
  if passed < 1 then return false end
  local kept, waiting = math.exp(-passed / FLOW_S), backlog()
  flow.arrivals = flow.arrivals * kept + (1 - kept) * (waiting - flow.waiting + flow.fresh) / passed
  if flow.finished * kept >= 0.001 then flow.finished, flow.run = flow.finished * kept, flow.run * kept end
  if flow.held * kept >= 1 then flow.held, flow.busy = flow.held * kept, flow.busy * kept end
  flow.at, flow.waiting, flow.fresh = now, waiting, 0
  return true
end

local function flow_text(flow)
  local sums = string.format('%.4f %.4f %.3f %.3f %.3f', flow.arrivals, flow.finished, flow.run, flow.held, flow.busy)
  return table.concat({ decimal(flow.at), flow.waiting, sums, flow.fresh, decimal(flow.empty) }, ' ')
end
