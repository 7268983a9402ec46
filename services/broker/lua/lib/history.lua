-- History of finished deliveries. The lines of one settle are one element of the list, for an element each would cost more
-- than the delivery. Before it stands its head: number of lines, ms of the server's clock, worker. m counts the lines.
local HISTORY = P .. ':h'

local TRIMMED_AT_ONCE = 64 -- chunks

-- Forgets the oldest chunks for as long as `goes` (lines of a chunk, when it was written, lines forgotten before) says so.
local function drop_oldest(goes)
  local lines, dropped = 0, 0
  while dropped < TRIMMED_AT_ONCE do
    local count, at = string.match(redis.call('LINDEX', HISTORY, -2 - 2 * dropped) or '', '^(%d+) (%d+) ')
    if not count or not goes(tonumber(count), tonumber(at), lines) then break end
    lines, dropped = lines + count, dropped + 1
  end
  if dropped == 0 then return end
  redis.call('LTRIM', HISTORY, 0, -1 - 2 * dropped)
  redis.call('HINCRBY', P .. ':m', 'history', -lines)
end

-- `text`: `lines` lines. Once a tenth too many are kept, whole chunks go for as long as `most` lines are left.
local function write_history(wid, text, lines, most)
  if most == 0 or lines == 0 then return end
  redis.call('LPUSH', HISTORY, text, lines .. ' ' .. decimal(now) .. ' ' .. wid)
  local total = redis.call('HINCRBY', P .. ':m', 'history', lines)
  if total <= most * 1.1 then return end
  drop_oldest(function(count, _, gone) return total - gone - count >= most end)
end

local function trim_history_by_age(age)
  drop_oldest(function(_, at) return at <= now - age end)
end
