-- Delivery + outcome -> next state: ack, effects, history and the next take in one round trip. KEYS: queue prefix.
-- ARGV: clock offset, wid, bell, slots (0 = no take), run quantum, class order, history length, plain deliveries as in
-- lib/settle-plain, then the number of groups and the groups: kind, key, delay ms, error, m, then m deliveries as in
-- lib/settle. Groups other than done hold one. Answers { lib/settle's answer, take's answer or false }.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/guard-worker
-- @include broker/lua/lib/take
-- @include broker/lua/lib/settle
local wid, slots = ARGV[2], tonumber(ARGV[4])
if is_fenced(wid) then return redis.error_reply('FENCED worker is not registered') end
local answers, out = settle(wid, 8, tonumber(ARGV[7]))
if slots == 0 then
  wake(P, out.released)
  return { answers, false }
end
local reply, left, promoted = take(wid, ARGV[3], slots, tonumber(ARGV[5]), ARGV[6])
if left == 0 then wake(P, math.max(0, out.released + promoted - slots)) end
return { answers, reply }
