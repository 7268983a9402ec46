-- Publishes messages, in order. KEYS[1] = {<namespace>:<shard>}:bus. ARGV: clock offset, publisher, number of the call,
-- with a global index (1) or without (0), the arguments of the index as in lib/publish with an empty payload, then each
-- message as in lib/publish. A call that is repeated under its number gets its first answer: "<offset>|<epoch>" each, or
-- "!<error>" for one that could not be stored.
-- @include broker/lua/lib/base
-- @include bus/lua/lib/publish
local ARGS, PUBLISHER_MS = 7, 3600000
local known = TAG .. ':bus:p:' .. ARGV[2]
local last = redis.call('HMGET', known, 'n', 'a')
if last[1] == ARGV[3] then return last[2] end

local channels = {}
local function opened(name)
  channels[name] = channels[name] or bus_open(name)
  return channels[name]
end

local function one(at)
  local channel = opened(ARGV[at])
  local id = bus_advance(channel, ARGV, at)
  if ARGV[4] == '0' then
    bus_keep(channel, ARGV, at, id, ARGV[at + 5])
  else
    local index = opened(ARGV[5])
    local global = bus_advance(index, ARGV, 5)
    bus_keep(channel, ARGV, at, id, '\3' .. global .. '\n' .. ARGV[at + 5])
    bus_keep(index, ARGV, 5, global, '\2' .. id .. ' ' .. ARGV[at] .. '\n' .. ARGV[at + 5])
  end
  return id .. '|' .. channel.epoch
end

local answers = {}
for at = 5 + ARGS, #ARGV, ARGS do
  local ok, told = pcall(one, at)
  answers[#answers + 1] = ok and told or ('!' .. (type(told) == 'table' and told.err or tostring(told)))
end
for _, channel in pairs(channels) do bus_close(channel) end
local answer = table.concat(answers, '\n')
redis.call('HSET', known, 'n', ARGV[3], 'a', answer)
redis.call('PEXPIRE', known, PUBLISHER_MS)
return answer
