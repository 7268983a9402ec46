-- Outcomes of Actions: as settle, guarded by the unit's epoch. KEYS: queue prefix, the unit's epoch. ARGV: as settle.
-- What is settled for good is no longer in doubt.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/guard-leader
-- @include broker/lua/lib/take
-- @include broker/lua/lib/settle
local wid, slots = ARGV[2], tonumber(ARGV[4])
if is_fenced(wid) then return redis.error_reply('FENCED stale epoch') end
local answers, out = settle(wid, 8, tonumber(ARGV[7]))
for _, list in ipairs({ out.settled, out.failed }) do
  for _, d in ipairs(list) do
    redis.call('HDEL', P .. ':doubt', d.id)
  end
end
if slots == 0 then return { answers, false } end
local reply = take(wid, ARGV[3], slots, tonumber(ARGV[5]), ARGV[6])
return { answers, reply }
