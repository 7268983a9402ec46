-- Only the present epoch of the unit may go on. KEYS[2] = the unit's epoch. A claimer of an outbox is <unit>:<epoch>.
local function is_fenced(wid)
  return redis.call('GET', KEYS[2]) ~= string.match(wid, ':(%d+)$')
end
