-- Appends messages to the backlog of channels and rings their doorbells with them (bus.ts). Positions are (epoch, offset):
-- inside an epoch offsets grow by one; a channel that was lost starts above every offset it ever had, under a new epoch: at
-- the time in µs, which no channel outruns and which fits into 2^53.
-- args from `at`: channel, bell channel, max length, max age ms, epoch for a new channel, payload, highest offset that the
-- publisher has seen (0 = none; -1: a new channel starts at 1, for tests of other programs).
-- What a channel has once, its head and its limits, is read by bus_open and written by bus_close, however many messages.
local function bus_open(channel)
  local meta = TAG .. ':bus:m:' .. channel
  local head = redis.call('HMGET', meta, 'e', 'o')
  return { name = channel, meta = meta, stream = TAG .. ':bus:s:' .. channel, epoch = head[1], offset = tonumber(head[2] or 0) }
end

-- The position of the next message.
local function bus_advance(channel, args, at)
  local seen = tonumber(args[at + 6])
  if not channel.epoch or channel.offset < seen then
    -- Hash and stream can be lost separately, their end with a server that failed.
    local top = redis.call('XREVRANGE', channel.stream, '+', '-', 'COUNT', 1)[1]
    local last = top and tonumber(string.match(top[1], '^%d+')) or 0
    channel.offset = math.max(seen < 0 and 0 or now_us, seen, channel.offset, last)
    channel.epoch = args[at + 4]
    channel.first = decimal(channel.offset + 1) -- of its epoch: who knew nothing sees what is missing
  end
  return decimal(channel.offset + 1)
end

local function bus_keep(channel, args, at, id, payload)
  -- When, is for those who look how late messages are.
  redis.call('XADD', channel.stream, id .. '-0', 'd', payload, 't', decimal(now))
  channel.offset = channel.offset + 1
  channel.id = id
  local kept = tonumber(args[at + 2])
  channel.kept = math.min(kept, (channel.kept or kept) + 1)
  channel.age = args[at + 3]
  redis.call('SPUBLISH', args[at + 1], id .. '|' .. channel.epoch .. '|' .. decimal(now) .. '|' .. channel.name .. '\n' .. payload)
end

local function bus_close(channel)
  if not channel.id then return end
  redis.call('HSET', channel.meta, 'e', channel.epoch, 'o', channel.id)
  if channel.first then redis.call('HSET', channel.meta, 'f', channel.first) end
  redis.call('XTRIM', channel.stream, 'MAXLEN', '=', channel.kept)
  redis.call('PEXPIRE', channel.meta, channel.age)
  redis.call('PEXPIRE', channel.stream, channel.age)
end

local function publish(args, at)
  local channel = bus_open(args[at])
  local id = bus_advance(channel, args, at)
  bus_keep(channel, args, at, id, args[at + 5])
  bus_close(channel)
  return id, channel.epoch
end
