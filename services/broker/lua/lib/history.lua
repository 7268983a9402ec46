-- History of finished deliveries. The lines of one settle are one element of the list, for an element each would cost more
-- than the delivery. Before it stands its head: number of lines, ms of the server's clock, worker. m counts the lines.
local HISTORY = P .. ':h'

-- Forgets the oldest chunk; answers how many lines it had.
local function drop_chunk(lines)
  redis.call('LTRIM', HISTORY, 0, -3)
  return redis.call('HINCRBY', P .. ':m', 'history', -lines)
end

local function oldest_chunk()
  local lines, at = string.match(redis.call('LINDEX', HISTORY, -2) or '', '^(%d+) (%d+) ')
  return tonumber(lines), tonumber(at)
end

-- `text`: `lines` lines. Whole chunks go as long as `most` lines are left.
local function write_history(wid, text, lines, most)
  if most == 0 or lines == 0 then return end
  redis.call('LPUSH', HISTORY, text, lines .. ' ' .. decimal(now) .. ' ' .. wid)
  local total = redis.call('HINCRBY', P .. ':m', 'history', lines)
  while total > most do
    local oldest = oldest_chunk()
    if not oldest or total - oldest < most then return end
    total = drop_chunk(oldest)
  end
end

local function trim_history_by_age(age)
  for _ = 1, 64 do
    local lines, at = oldest_chunk()
    if not lines or at > now - age then return end
    drop_chunk(lines)
  end
end
