-- @include broker/lua/lib/ids
-- Deliveries that wait for others. One is held in d without a due time; its last predecessor's end gives it one.

-- Whether a predecessor (public id) has not ended yet, in any queue. Dead letters have not: they may run again.
local function is_pending(queues, public)
  local id = number_of(public)
  for _, name in ipairs(queues) do
    local queue = TAG .. ':q:' .. name
    if redis.call('HEXISTS', queue .. ':j', id) == 1 or redis.call('HEXISTS', queue .. ':o', public) == 1 then return true end
  end
  return false
end

-- Remembers that `id` waits for the predecessors in `after` (public ids, separated by commas). False: none is pending.
local function hold(queue, id, entry, after)
  local queues, pending = redis.call('SMEMBERS', TAG .. ':queues'), {}
  for origin in string.gmatch(after, '%w+') do
    if is_pending(queues, origin) and redis.call('SADD', TAG .. ':a:' .. id, origin) == 1 then
      pending[#pending + 1] = origin
    end
  end
  if #pending == 0 then return false end
  redis.call('HSET', TAG .. ':held', id, queue .. NUL .. entry)
  for _, origin in ipairs(pending) do
    local others = redis.call('HGET', TAG .. ':after', origin)
    redis.call('HSET', TAG .. ':after', origin, others and others .. ',' .. id or id)
  end
  return true
end

-- A held delivery waits no longer: it is due, or, `forgotten`, has no place any more.
local function let_go(id, forgotten)
  local place = redis.call('HGET', TAG .. ':held', id)
  if not place then return end
  redis.call('HDEL', TAG .. ':held', id)
  redis.call('DEL', TAG .. ':a:' .. id)
  local cut = string.find(place, NUL, 1, true)
  local queue = string.sub(place, 1, cut - 1)
  if forgotten then
    redis.call('ZREM', queue .. ':d', string.sub(place, cut + 1))
    return
  end
  redis.call('ZADD', queue .. ':d', 'XX', now, string.sub(place, cut + 1))
  wake(queue, 1)
end

-- These origins (public ids) have ended.
local function ended(origins)
  if #origins == 0 or redis.call('EXISTS', TAG .. ':after') == 0 then return end
  for _, origin in ipairs(origins) do
    local waiting = redis.call('HGET', TAG .. ':after', origin)
    if waiting then
      redis.call('HDEL', TAG .. ':after', origin)
      for id in string.gmatch(waiting, '%d+') do
        redis.call('SREM', TAG .. ':a:' .. id, origin)
        if redis.call('EXISTS', TAG .. ':a:' .. id) == 0 then let_go(id) end
      end
    end
  end
end
