-- As settle, for a call without groups: what groups need is not even built, which is a fifth of a call for one delivery.
-- KEYS, ARGV and answers: as settle.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/guard-worker
-- @include broker/lua/lib/take
-- @include broker/lua/lib/settle-plain
-- @include broker/lua/lib/history
-- @include broker/lua/lib/settle-and-take
if is_fenced(ARGV[2]) then return redis.error_reply('FENCED worker is not registered') end
local answers, released, text, lines = settle_plain(ARGV[2], 8)
write_history(ARGV[2], text, lines, tonumber(ARGV[7]))
return settle_and_take({ answers, {} }, released)
