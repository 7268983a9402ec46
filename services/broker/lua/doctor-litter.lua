-- Whether something that is left over has an owner, or an end. KEYS: queue prefix, or the set of queues.
-- ARGV: clock offset, repair, what, its name, a value of it. Answers codes.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/after
-- @include broker/lua/lib/doctor
local name, value = ARGV[4], ARGV[5]
local CHECKS = {}

CHECKS.bell = function() -- name: bell, value: wid
  if redis.call('SISMEMBER', P .. ':i', name) == 0 or redis.call('ZSCORE', P .. ':wk', value) then return end
  if repairs then redis.call('SREM', P .. ':i', name) end
  return 'bell-of-nobody'
end
CHECKS.token = function() -- nothing refers to it, as somebody has seen
  if redis.call('PTTL', P .. ':b:' .. name) ~= -1 then return end
  if repairs then redis.call('UNLINK', P .. ':b:' .. name) end
  return 'body-of-nothing'
end
CHECKS.expiry = function() -- name: key, value: ms
  if redis.call('PTTL', name) ~= -1 then return end
  if repairs then redis.call('PEXPIRE', name, value) end
  return 'never-expires'
end
CHECKS.running = function() -- name: limit, value: what runs under it
  local queue, wid, id = string.match(value, '^(.-)%z(.-)%z(%d+)$')
  if redis.call('SISMEMBER', TAG .. ':l:' .. name, value) == 0 then return end
  if queue and redis.call('HEXISTS', queue .. ':c:' .. wid, id) == 1 then return end
  if repairs then redis.call('SREM', TAG .. ':l:' .. name, value) end
  return 'running-unclaimed'
end
CHECKS.limit = function() -- take reads all limits: one that it cannot read stops every queue
  if string.match(redis.call('HGET', TAG .. ':limits', name) or '0 0 1 key 0', '^%d+ %d+ %d+ %l+ %d+$') then return end
  if repairs then redis.call('HDEL', TAG .. ':limits', name) end
  return 'limit-unreadable'
end
CHECKS.schedule = function()
  if redis.call('HEXISTS', P .. ':sd', name) == 1 then return end
  if not redis.call('ZSCORE', P .. ':s', name) then return end
  if repairs then
    redis.call('ZREM', P .. ':s', name)
    redis.call('HDEL', P .. ':sl', name)
    redis.call('HDEL', P .. ':si', name)
  end
  return 'schedule-undefined'
end
CHECKS.queue = function()
  if redis.call('SISMEMBER', TAG .. ':queues', name) == 1 then return end
  if repairs then redis.call('SADD', TAG .. ':queues', name) end
  return 'queue-unknown'
end
CHECKS.unreadable = function()
  if not redis.call('LPOS', P .. ':unreadable', name) then return end
  if repairs then redis.call('LREM', P .. ':unreadable', 0, name) end
  return 'put-by'
end
CHECKS.doubt = function()
  if redis.call('HEXISTS', P .. ':doubt', name) == 0 or redis.call('HEXISTS', P .. ':j', name) == 1 then return end
  if repairs then redis.call('HDEL', P .. ':doubt', name) end
  return 'doubt-of-nothing'
end
CHECKS.after = function() -- name: origin
  if redis.call('HEXISTS', TAG .. ':after', name) == 0 then return end
  if string.match(name, '^[0-9a-z]+$') and is_pending(redis.call('SMEMBERS', TAG .. ':queues'), name) then return end
  if repairs then ended({ name }) end
  return 'ended-untold'
end

local code = CHECKS[ARGV[3]]()
if code then say(code) end
return said
