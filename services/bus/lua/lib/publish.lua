-- Appends a message to a channel's backlog and rings its doorbell with it (bus.ts). Positions are (epoch, offset): inside
-- an epoch offsets grow by one; a channel that was lost starts above every offset it ever had, under a new epoch: at the
-- time in µs, which no channel outruns and which fits into 2^53.
-- args from `at`: channel, bell channel, max length, max age ms, epoch for a new channel, payload, highest offset that the
-- publisher has seen (0 = none; -1: a new channel starts at 1, for tests of other programs).
local function bus_advance(args, at)
  local meta, stream = TAG .. ':bus:m:' .. args[at], TAG .. ':bus:s:' .. args[at]
  local seen = tonumber(args[at + 6])
  local epoch = redis.call('HGET', meta, 'e')
  local offset = tonumber(redis.call('HGET', meta, 'o') or 0)
  if not epoch or offset < seen then -- hash and stream can be lost separately, their end with a server that failed
    local top = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
    offset = math.max(seen < 0 and 0 or now_us, seen, offset, top and tonumber(string.match(top[1], '^%d+')) or 0)
    epoch = args[at + 4]
  end
  return decimal(offset + 1), epoch
end

local function bus_keep(args, at, id, epoch, payload)
  local meta, stream = TAG .. ':bus:m:' .. args[at], TAG .. ':bus:s:' .. args[at]
  local isNew = redis.call('HGET', meta, 'e') ~= epoch
  redis.call('HSET', meta, 'e', epoch, 'o', id)
  if isNew then redis.call('HSET', meta, 'f', id) end -- the first of its epoch: who knew nothing sees what is missing
  redis.call('XADD', stream, 'MAXLEN', '=', args[at + 2], id .. '-0', 'd', payload)
  redis.call('PEXPIRE', meta, args[at + 3])
  redis.call('PEXPIRE', stream, args[at + 3])
  redis.call('SPUBLISH', args[at + 1], id .. '|' .. epoch .. '|' .. args[at] .. '\n' .. payload)
end

local function publish(args, at)
  local id, epoch = bus_advance(args, at)
  bus_keep(args, at, id, epoch, args[at + 5])
  return id, epoch
end
