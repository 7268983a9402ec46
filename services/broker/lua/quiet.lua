-- Quiets pods for a while because they are to be removed, or ends that. What an operator ordered stays as it is.
-- KEYS: orders, control's epoch. ARGV: clock offset, epoch, ms that it lasts (0 ends it), s that orders are kept, pods.
-- Answers those of the pods that are quiet by this.
-- @include broker/lua/lib/refuse-epoch
if is_old_epoch(KEYS[2], ARGV[2]) then return redis.error_reply('FENCED stale epoch') end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[1])
local till = string.format('quiet %.0f', now + tonumber(ARGV[3]))
local quiet = {}
for at = 5, #ARGV do
  local order = redis.call('HGET', KEYS[1], ARGV[at])
  if order and not string.find(order, '^quiet %d') then
    -- an operator's
  elseif ARGV[3] == '0' then
    redis.call('HDEL', KEYS[1], ARGV[at])
  else
    redis.call('HSET', KEYS[1], ARGV[at], till)
    quiet[#quiet + 1] = ARGV[at]
  end
end
if #quiet > 0 then redis.call('EXPIRE', KEYS[1], ARGV[4]) end
return quiet
