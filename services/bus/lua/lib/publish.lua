-- Appends a message to a channel's backlog and rings its doorbell with it (bus.ts). Positions are (epoch, offset): inside
-- an epoch offsets grow by one; a channel that was lost starts above every offset it ever had, under a new epoch.
-- args from `at`: channel, bell channel, max length, max age ms, epoch for a new channel, payload.
local function publish(args, at)
  local channel, payload = args[at], args[at + 5]
  local meta, stream = TAG .. ':bus:m:' .. channel, TAG .. ':bus:s:' .. channel
  local epoch = redis.call('HGET', meta, 'e')
  local offset = tonumber(redis.call('HGET', meta, 'o') or 0)
  if not epoch then -- hash and stream can be lost separately
    local top = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
    offset = math.max(now, offset, top and tonumber(string.match(top[1], '^%d+')) or 0)
    epoch = args[at + 4]
  end
  local id = decimal(offset + 1)
  redis.call('HSET', meta, 'e', epoch, 'o', id)
  redis.call('XADD', stream, 'MAXLEN', '=', args[at + 2], id .. '-0', 'd', payload)
  redis.call('PEXPIRE', meta, args[at + 3])
  redis.call('PEXPIRE', stream, args[at + 3])
  redis.call('SPUBLISH', args[at + 1], id .. '|' .. epoch .. '|' .. channel .. '\n' .. payload)
  return id, epoch
end
