-- Publishes one message. KEYS[1] = {<namespace>:<shard>}:bus. ARGV: clock offset, then as in publish. Answers offset, epoch.
-- @include broker/lua/lib/base
-- @include bus/lua/lib/publish
local offset, epoch = publish(ARGV, 2)
return { offset, epoch }
