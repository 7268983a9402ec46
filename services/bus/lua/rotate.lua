-- A channel stands below an offset that was read of it: a server failed and its end was lost; or its hash was lost and its
-- stream was not. It goes on above that offset, under a new epoch, so that no offset names two messages.
-- KEYS[1] = {<namespace>:<shard>}:bus. ARGV: clock offset, channel, the epoch in which it was seen ('' = none), the offset,
-- a new epoch. Answers 1 when it did that, else 0.
-- @include broker/lua/lib/base
local meta = TAG .. ':bus:m:' .. ARGV[2]
local stream = TAG .. ':bus:s:' .. ARGV[2]
local epoch, offset = unpack(redis.call('HMGET', meta, 'e', 'o'))
if (epoch or '') ~= ARGV[3] or (epoch and tonumber(offset) >= tonumber(ARGV[4])) then return 0 end
local top = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
if not epoch and not top then return 0 end
local last = math.max(now_us, tonumber(ARGV[4]), top and tonumber(string.match(top[1], '^%d+')) or 0)
redis.call('HSET', meta, 'e', ARGV[5], 'o', decimal(last), 'f', decimal(last + 1))
redis.call('PEXPIRE', meta, math.max(redis.call('PTTL', stream), 1000))
return 1
