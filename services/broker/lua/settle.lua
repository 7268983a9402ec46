-- Delivery + outcome -> next state: ack, effects, history and the next take in one round trip. KEYS: queue prefix.
-- ARGV: clock offset, wid, bell, slots (0 = no take), run quantum, class order, history length, plain deliveries as in
-- lib/settle-plain, then the number of groups and the groups: kind, key, delay ms, error, m, then m deliveries as in
-- lib/settle. Groups other than done hold one. Answers { lib/settle's answer, take's answer or false }.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/guard-worker
-- @include broker/lua/lib/take
-- @include broker/lua/lib/settle
-- @include broker/lua/lib/settle-and-take
if is_fenced(ARGV[2]) then return redis.error_reply('FENCED worker is not registered') end
local answers, out = settle(ARGV[2], 8, tonumber(ARGV[7]))
return settle_and_take(answers, out.released)
