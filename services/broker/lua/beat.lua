-- Renews all claims of a worker. KEYS: queue prefix. ARGV: clock offset, wid (<pod>.<random>), ms that history is kept.
-- Answers { number of claims held, next due ms or '', what the pod is ordered to do or '', how many lists hold work, how much was
-- found that could not be read }.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/guard-worker
-- @include broker/lua/lib/reap
-- @include broker/lua/lib/promote
-- @include broker/lua/lib/history
if is_fenced(ARGV[2]) then return redis.error_reply('FENCED worker is not registered') end
redis.call('ZADD', P .. ':wk', 'XX', now + CLAIM_MS, ARGV[2])
local m = P .. ':m'
if now - tonumber(redis.call('HGET', m, 'beatAt') or '0') > 3000 then
  redis.call('HSET', m, 'graceUntil', now + CLAIM_MS)
end
redis.call('HSET', m, 'beatAt', now)
local promoted, due = promote()
wake(P, promoted)
reap_expired(ARGV[2])
trim_history_by_age(tonumber(ARGV[3]))
local order = redis.call('HGET', TAG .. ':orders', (string.gsub(ARGV[2], '%.[^.]*$', '')))
local lists = {}
for class = 0, 3 do
  lists[#lists + 1] = P .. ':w' .. class
  lists[#lists + 1] = P .. ':r' .. class
end
local ready = redis.call('EXISTS', unpack(lists))
return { redis.call('HLEN', P .. ':c:' .. ARGV[2]), due or '', order or '', ready, redis.call('LLEN', P .. ':unreadable') }
