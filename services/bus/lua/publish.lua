-- Publishes messages, in order. KEYS[1] = {<namespace>:<shard>}:bus. ARGV: clock offset, publisher, number of the call,
-- number of the call that must have been the last one (0 = any), with a global index (1) or without (0), how many places
-- there are, the places: each the arguments of lib/publish with an empty payload, the index' first; then each message: number
-- of its place, payload. A call that is repeated under its number gets its first answer: "<offset>|<epoch>" each, or
-- "!<error>" for one that could not be stored. Two calls may be under way, so the last two answers are kept.
-- @include broker/lua/lib/base
-- @include bus/lua/lib/publish
local ARGS, FIRST, PUBLISHER_MS = 7, 7, 3600000
local known, number = TAG .. ':bus:p:' .. ARGV[2], ARGV[3]
local slot = number % 2
local last = redis.call('HMGET', known, 'n' .. slot, 'a' .. slot, 'n')
if last[1] == number then return last[2] end
if ARGV[4] ~= '0' and last[3] ~= ARGV[4] then return redis.error_reply('OUT_OF_TURN') end

local channels = {}
local function opened(name)
  channels[name] = channels[name] or bus_open(name)
  return channels[name]
end

local function one(at, payload)
  local channel = opened(ARGV[at])
  local id = bus_advance(channel, ARGV, at)
  if ARGV[5] == '0' then
    bus_keep(channel, ARGV, at, id, payload)
  else
    local index = opened(ARGV[FIRST])
    local global = bus_advance(index, ARGV, FIRST)
    bus_keep(channel, ARGV, at, id, '\3' .. global .. '\n' .. payload)
    bus_keep(index, ARGV, FIRST, global, '\2' .. id .. ' ' .. ARGV[at] .. '\n' .. payload)
  end
  return id .. '|' .. channel.epoch
end

local answers = {}
for at = FIRST + ARGV[6] * ARGS, #ARGV, 2 do
  local ok, told = pcall(one, FIRST + ARGV[at] * ARGS, ARGV[at + 1])
  answers[#answers + 1] = ok and told or ('!' .. (type(told) == 'table' and told.err or tostring(told)))
end
for _, channel in pairs(channels) do bus_close(channel) end
local answer = table.concat(answers, '\n')
redis.call('HSET', known, 'n' .. slot, number, 'a' .. slot, answer, 'n', number)
redis.call('PEXPIRE', known, PUBLISHER_MS)
return answer
