-- A new leader hands back what claimers of other epochs held; each such Action is in doubt until settled. Claimers of an
-- outbox are never reaped by time, and no crash is counted. KEYS: queue prefix, the unit's epoch.
-- ARGV: clock offset, claimer. Answers { id, ms since it is in doubt, … }.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/guard-leader
-- @include broker/lua/lib/reap
if is_fenced(ARGV[2]) then return redis.error_reply('FENCED stale epoch') end
local ready, doubts = 0, 0
for _, claimer in ipairs(redis.call('ZRANGE', P .. ':wk', 0, -1)) do
  if claimer ~= ARGV[2] then
    local held, keys = redis.call('HGETALL', P .. ':c:' .. claimer), {}
    for i = 1, #held, 2 do
      local _, key = split_claim(held[i + 1])
      doubts = doubts + redis.call('HSETNX', P .. ':doubt', held[i], now)
      keys[key] = true
    end
    for key in pairs(keys) do
      local head = redis.call('LINDEX', P .. ':k:' .. key, 0)
      if head then redis.call('LPUSH', P .. ':r' .. class_of(head), key) end
      ready = ready + 1
    end
    redis.call('DEL', P .. ':c:' .. claimer)
    redis.call('ZREM', P .. ':wk', claimer)
  end
end
redis.call('ZADD', P .. ':wk', '+inf', ARGV[2])
wake(P, ready)
local seat = string.gsub(KEYS[2], ':epoch:', ':seat:', 1)
if doubts > 0 then redis.call('HINCRBY', seat, 'doubts', doubts) end
return redis.call('HGETALL', P .. ':doubt')
