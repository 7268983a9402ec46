-- Renews all claims of a worker. KEYS: queue prefix. ARGV: clock offset, wid (<pod>.<random>), ms that history is kept.
-- Answers { number of claims held, next due ms or '', what the pod is ordered to do or '' }.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/guard-worker
-- @include broker/lua/lib/reap
-- @include broker/lua/lib/promote
if is_fenced(ARGV[2]) then return redis.error_reply('FENCED worker is not registered') end
redis.call('ZADD', P .. ':wk', 'XX', now + CLAIM_MS, ARGV[2])
local m = P .. ':m'
if now - tonumber(redis.call('HGET', m, 'beatAt') or '0') > 3000 then
  redis.call('HSET', m, 'graceUntil', now + CLAIM_MS)
end
redis.call('HSET', m, 'beatAt', now)
wake(P, promote())
reap_expired(ARGV[2])
for _ = 1, 64 do
  local oldest = redis.call('LINDEX', P .. ':h', -1)
  if not oldest or tonumber(string.match(oldest, '"at":(%d+)') or 0) > now - tonumber(ARGV[3]) then break end
  redis.call('RPOP', P .. ':h')
end
local order = redis.call('HGET', TAG .. ':orders', (string.gsub(ARGV[2], '%.[^.]*$', '')))
return { redis.call('HLEN', P .. ':c:' .. ARGV[2]), redis.call('ZRANGE', P .. ':d', 0, 0, 'WITHSCORES')[2] or '', order or '' }
