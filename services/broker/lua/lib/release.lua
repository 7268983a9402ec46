-- @include broker/lua/lib/limits
-- Hands work back: no attempt, no crash is counted. Of a run only a suffix can go back while its head still runs.
-- Deliveries start at ARGV[at]: id, claim, element, key of each.
local function release(wid, at, n)
  local claims = P .. ':c:' .. wid
  local keys, ready, returned, left = {}, 0, 0, {}
  for i = 0, n - 1 do
    local a = at + 4 * i
    local id, element, key = ARGV[a], ARGV[a + 2], ARGV[a + 3]
    if redis.call('HGET', claims, id) == ARGV[a + 1] then
      redis.call('HDEL', claims, id)
      left[#left + 1] = element
      returned = returned + 1
      if key == '' then
        redis.call('LPUSH', P .. ':w' .. class_of(element), element)
        ready = ready + 1
      else
        keys[key] = true
      end
    end
  end
  for key in pairs(keys) do
    local run, open = redis.call('LRANGE', P .. ':k:' .. key, 0, RUN_MAX - 1), nil
    for i, element in ipairs(run) do
      if open then
        redis.call('HDEL', claims, id_of(element))
        left[#left + 1] = element
      elseif redis.call('HEXISTS', claims, id_of(element)) == 0 then
        open = i
      end
    end
    if open == 1 then
      redis.call('LPUSH', P .. ':r' .. class_of(run[1]), key)
      ready = ready + 1
    end
  end
  leave_limits(wid, left)
  wake(P, ready)
  return returned
end
