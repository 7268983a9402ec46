-- What is not finished in any queue of the bot, at one moment. Changes nothing. KEYS: the set of queues. ARGV: clock offset.
-- Reads everything there is: for tests, where little is.
-- Answers { now ms, ready, due, next due ms or '', claims { queue, wid, id, … }, workers { queue, wid, expiry ms, … } }:
-- ready = unkeyed deliveries and keys that may be claimed; due = delayed deliveries and schedules whose time has come.
-- @include broker/lua/lib/base
local ready, due, next_due = 0, 0, nil
local claims, workers = {}, {}

local function look_at_times(set)
  due = due + redis.call('ZCOUNT', set, '-inf', now)
  local later = redis.call('ZRANGEBYSCORE', set, '(' .. decimal(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  if later and later ~= 'inf' then next_due = math.min(next_due or tonumber(later), tonumber(later)) end
end

local function look_at_claims(queue, prefix)
  local members = redis.call('ZRANGE', prefix .. ':wk', 0, -1, 'WITHSCORES')
  for i = 1, #members, 2 do
    for _, value in ipairs({ queue, members[i], members[i + 1] }) do
      workers[#workers + 1] = value
    end
    for _, id in ipairs(redis.call('HKEYS', prefix .. ':c:' .. members[i])) do
      for _, value in ipairs({ queue, members[i], id }) do
        claims[#claims + 1] = value
      end
    end
  end
end

for _, queue in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local prefix = TAG .. ':q:' .. queue
  for class = 0, 3 do
    ready = ready + redis.call('LLEN', prefix .. ':w' .. class) + redis.call('LLEN', prefix .. ':r' .. class)
  end
  look_at_times(prefix .. ':d')
  look_at_times(prefix .. ':s')
  look_at_claims(queue, prefix)
end
return { decimal(now), ready, due, next_due and decimal(next_due) or '', claims, workers }
