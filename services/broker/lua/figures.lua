-- What a queue holds and how fast it goes, however deep it is. KEYS: queue prefix. ARGV: clock offset. Reads only. Answers
-- { ready, claimed, delayed, dead, how many could be run at the same time, oldest ready ms, ms that those next in line have been
-- ready, arrivals per second, finished, run ms, slot ms, busy ms, whether it is paused, limits or '', workers: wid, info, …,
-- how many each of those has claimed, runs that failed lately, what failed last or '' }.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/flow
-- @include broker/lua/lib/failing
local SAMPLED = 8 -- of each line
local PARKED_MAX = 100
local WORKERS_MAX = 1000

local function count(kind, key)
  return redis.call(kind, P .. key)
end

-- Deliveries without a due time, and what stands behind the keys among them.
local function count_endless()
  local endless = redis.call('ZCOUNT', P .. ':d', '+inf', '+inf')
  if endless == 0 then return 0, 0 end
  local behind = 0
  for _, entry in ipairs(redis.call('ZRANGE', P .. ':d', '+inf', '+inf', 'BYSCORE', 'LIMIT', 0, PARKED_MAX)) do
    if string.byte(entry) == 75 then behind = behind + redis.call('LLEN', P .. ':k:' .. string.sub(entry, 2)) - 1 end
  end
  return endless, behind
end

-- When those next in a line were enqueued: their ids tell it.
local function heads(class)
  local unkeyed, keyed = redis.call('LRANGE', P .. ':w' .. class, 0, SAMPLED - 1), {}
  for _, key in ipairs(redis.call('LRANGE', P .. ':r' .. class, 0, SAMPLED - 1)) do
    keyed[#keyed + 1] = redis.call('LINDEX', P .. ':k:' .. key, 0) or nil
  end
  return { unkeyed, keyed }
end

-- How long the oldest and the typical one of those next in line have been ready. One that was delayed was enqueued before it was
-- ready: no age goes back before the moment at which nothing was ready, and a single one makes no typical age.
local function ages(since)
  local oldest, typical = 0, 0
  for class = 0, 3 do
    for _, line in ipairs(heads(class)) do
      local list = {}
      for i, element in ipairs(line) do
        list[i] = now - math.min(now, math.max(since, (tonumber(id_of(element)) or now_us) / 1000))
      end
      table.sort(list)
      oldest = math.max(oldest, list[#list] or 0)
      typical = math.max(typical, list[math.ceil(#list / 2)] or 0)
    end
  end
  return math.floor(oldest), math.floor(typical)
end

local claimed, workers, claims, held = 0, {}, {}, {}
for _, wid in ipairs(redis.call('ZRANGE', P .. ':wk', 0, WORKERS_MAX - 1)) do
  claims[wid] = redis.call('HLEN', P .. ':c:' .. wid)
  claimed = claimed + claims[wid]
end
for _, wid in ipairs(redis.call('ZRANGEBYSCORE', P .. ':wk', now, '+inf', 'LIMIT', 0, WORKERS_MAX)) do
  workers[#workers + 1] = wid
  workers[#workers + 1] = redis.call('HGET', P .. ':wi', wid) or ''
  held[#held + 1] = claims[wid] or 0
end
local side_by_side = claimed
for class = 0, 3 do
  side_by_side = side_by_side + count('LLEN', ':w' .. class) + count('LLEN', ':r' .. class)
end
local endless, behind = count_endless()
local delayed, dead = redis.call('ZCOUNT', P .. ':d', '(' .. decimal(now), '(+inf'), count('ZCARD', ':x')
local ready = math.max(0, count('HLEN', ':j') - delayed - dead - claimed - endless - behind)
side_by_side = side_by_side + redis.call('ZCOUNT', P .. ':d', '-inf', now)
local flow = read_flow(redis.call('HGET', P .. ':m', 'flow'))
count_flow(flow)
local oldest, typical = ages(flow.empty)
local limits = redis.call('HGET', TAG .. ':limits', 'q' .. string.match(P, ':q:(.*)$'))
return {
  ready, claimed, delayed, dead, side_by_side, oldest, typical,
  string.format('%.4f', flow.arrivals), string.format('%.4f', flow.finished), string.format('%.3f', flow.run),
  string.format('%.3f', flow.held), string.format('%.3f', flow.busy), redis.call('HEXISTS', P .. ':pauses', 'queue'),
  limits or '', workers, held, string.format('%.4f', failing_now()), redis.call('HGET', P .. ':m', 'failed') or '',
}
