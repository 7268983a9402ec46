-- Renews all claims of a worker. KEYS: queue prefix. ARGV: clock offset, wid (<pod>.<random>), ms that history is kept, and since
-- its last beat: deliveries that finished, ms that they ran, ms that slots were taken, ms that threads were busy for that, runs
-- that failed, and what was the last failure or ''.
-- Answers { number of claims held, next due ms or '', what the pod is ordered to do or '', how many lists hold work, how much was
-- found that could not be read }.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/guard-worker
-- @include broker/lua/lib/reap
-- @include broker/lua/lib/promote
-- @include broker/lua/lib/history
-- @include broker/lua/lib/flow
-- @include broker/lua/lib/failing
if is_fenced(ARGV[2]) then return redis.error_reply('FENCED worker is not registered') end
redis.call('ZADD', P .. ':wk', 'XX', now + CLAIM_MS, ARGV[2])
local m = P .. ':m'
local meter = redis.call('HMGET', m, 'beatAt', 'flow')
if now - tonumber(meter[1] or '0') > 3000 then
  redis.call('HSET', m, 'graceUntil', now + CLAIM_MS)
end
redis.call('HSET', m, 'beatAt', now)
local promoted, due = promote()
wake(P, promoted)
reap_expired(ARGV[2])
trim_history_by_age(tonumber(ARGV[3]))
local order = redis.call('HGET', TAG .. ':orders', (string.gsub(ARGV[2], '%.[^.]*$', '')))
-- `quiet <ms>` ends by itself.
local passing, till = string.match(order or '', '^(%a+) (%d+)$')
if passing then order = tonumber(till) > now and passing end
local lists = {}
for class = 0, 3 do
  lists[#lists + 1] = P .. ':w' .. class
  lists[#lists + 1] = P .. ':r' .. class
end
local ready = redis.call('EXISTS', unpack(lists))

local flow, told = read_flow(meter[2]), 0
for i, name in ipairs({ 'finished', 'run', 'held', 'busy' }) do
  local more = tonumber(ARGV[3 + i] or '0')
  flow[name], told = flow[name] + more, told + more
end
flow.fresh = flow.fresh + tonumber(ARGV[4] or '0')
note_failures(tonumber(ARGV[8] or '0'), ARGV[9])
if ready == 0 then flow.empty = now end
if count_flow(flow) or told > 0 or not meter[2] then redis.call('HSET', m, 'flow', flow_text(flow)) end
return { redis.call('HLEN', P .. ':c:' .. ARGV[2]), due or '', order or '', ready, redis.call('LLEN', P .. ':unreadable') }
