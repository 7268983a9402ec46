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

local function one(at)
  if ARGV[4] == '0' then return publish(ARGV, at) end
  local global, global_epoch = bus_advance(ARGV, 5)
  local id, epoch = bus_advance(ARGV, at)
  bus_keep(ARGV, at, id, epoch, '\3' .. global .. '\n' .. ARGV[at + 5])
  bus_keep(ARGV, 5, global, global_epoch, '\2' .. id .. ' ' .. ARGV[at] .. '\n' .. ARGV[at + 5])
  return id, epoch
end

local answers = {}
for at = 5 + ARGS, #ARGV, ARGS do
  local ok, id, epoch = pcall(one, at)
  answers[#answers + 1] = ok and (id .. '|' .. epoch) or ('!' .. (type(id) == 'table' and id.err or tostring(id)))
end
local answer = table.concat(answers, '\n')
redis.call('HSET', known, 'n', ARGV[3], 'a', answer)
redis.call('PEXPIRE', known, PUBLISHER_MS)
return answer
