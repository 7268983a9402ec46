-- A process says how its bus stands (nodes.ts). KEYS[1] = {<namespace>:<shard>}:bus. ARGV: clock offset, the process' id, its
-- snapshot, for how long it is kept (ms). Answers the server's time in µs.
--   n  process -> when it told last, ms       n:<id>  its snapshot
-- @include broker/lua/lib/base
local nodes = KEYS[1] .. ':n'
redis.call('ZADD', nodes, now, ARGV[2])
redis.call('ZREMRANGEBYSCORE', nodes, '-inf', '(' .. decimal(now - ARGV[4]))
redis.call('PEXPIRE', nodes, ARGV[4])
redis.call('SET', nodes .. ':' .. ARGV[2], ARGV[3], 'PX', ARGV[4])
return decimal(now_us)
