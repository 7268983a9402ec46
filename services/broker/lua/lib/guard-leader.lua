-- Only the present epoch of the unit may go on. KEYS[2] = the unit's epoch. A claimer of an outbox is <unit>:<epoch>.
-- @include broker/lua/lib/refuse-epoch
local function is_fenced(wid)
  return is_old_epoch(KEYS[2], string.match(wid, ':(%d+)$'))
end
