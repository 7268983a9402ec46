-- Looks at ordering keys of a queue, a bounded number of them. KEYS: queue prefix. ARGV: clock offset, offset in the rings, keys of
-- each ring, most claims, most entries of d. Reads only. Answers { keys in the rings, ready: key, waiting, …, claimed: key, waiting, …,
-- waiting for a time or a pause: key, waiting, due ms or 'inf', … }; of the last two nothing where the offset is above 0.
-- @include broker/lua/lib/base
local offset, page, claims_max, delayed_max = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local WORKERS_MAX = 100
local total, ready, claimed, delayed, seen = 0, {}, {}, {}, {}

local function add(list, key)
  seen[key] = true
  list[#list + 1] = key
  list[#list + 1] = redis.call('LLEN', P .. ':k:' .. key)
end

for class = 0, 3 do
  local ring = P .. ':r' .. class
  total = total + redis.call('LLEN', ring)
  for _, key in ipairs(redis.call('LRANGE', ring, offset, offset + page - 1)) do
    add(ready, key)
  end
end
if offset > 0 then return { total, ready, claimed, delayed } end

local left = claims_max
for _, wid in ipairs(redis.call('ZRANGE', P .. ':wk', 0, WORKERS_MAX - 1)) do
  local held = P .. ':c:' .. wid
  if left > 0 and redis.call('HLEN', held) <= claims_max then
    for _, claim in ipairs(redis.call('HVALS', held)) do
      local key = string.match(claim, '^%Z*%z%Z*%z(.+)$')
      if key and not seen[key] then add(claimed, key) end
      left = left - 1
    end
  end
end

-- Among those without a due time keys come last, so from the end; of the others the soonest.
local endless = redis.call('ZREVRANGEBYSCORE', P .. ':d', '+inf', '+inf', 'WITHSCORES', 'LIMIT', 0, delayed_max)
local soonest = redis.call('ZRANGEBYSCORE', P .. ':d', '-inf', '(+inf', 'WITHSCORES', 'LIMIT', 0, delayed_max)
for _, entries in ipairs({ soonest, endless }) do
  for i = 1, #entries, 2 do
    if string.byte(entries[i]) == 75 then
      add(delayed, string.sub(entries[i], 2))
      delayed[#delayed + 1] = entries[i + 1]
    end
  end
end
return { total, ready, claimed, delayed }
