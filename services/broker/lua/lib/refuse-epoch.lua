-- Whether an epoch is not the present one of its unit. Such writes are counted, for people: see services/leader/seats.ts.
local function is_old_epoch(key, epoch)
  if redis.call('GET', key) == epoch then return false end
  local seat = string.gsub(key, ':epoch:', ':seat:', 1)
  redis.call('HINCRBY', seat, 'fenced', 1)
  return true
end
