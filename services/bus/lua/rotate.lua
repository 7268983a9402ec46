-- A channel stands below an offset that was read of it: a server failed and its end was lost. It goes on above that offset,
-- under a new epoch, so that no offset names two messages. KEYS[1] = {<namespace>:<shard>}:bus. ARGV: clock offset, channel,
-- the epoch in which it was seen, the offset, a new epoch. Answers 1 when it did that, else 0.
-- @include broker/lua/lib/base
local meta = TAG .. ':bus:m:' .. ARGV[2]
local epoch, offset = unpack(redis.call('HMGET', meta, 'e', 'o'))
if epoch ~= ARGV[3] or tonumber(offset) >= tonumber(ARGV[4]) then return 0 end
redis.call('HSET', meta, 'e', ARGV[5], 'o', decimal(math.max(now, tonumber(ARGV[4]))))
return 1
