-- Whether a delivery is in one place only. Kept is what a worker has claimed, then what waits for others, then what is in
-- line, then what is due later; a dead letter is the last. KEYS: queue prefix.
-- ARGV: clock offset, repair, id, then place (w<class>, k, d), key and element where it was seen. Answers codes.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/doctor-key
local id, wids, copies = ARGV[3], redis.call('ZRANGE', P .. ':wk', 0, -1), {}
if redis.call('HEXISTS', P .. ':j', id) == 0 then return said end -- what is left of a cancelled one runs nowhere

local function add(rank, remove)
  copies[#copies + 1] = { rank = rank, remove = remove }
end

local claimed = {} -- elements of keyed claims
for _, wid in ipairs(wids) do
  local fence, element, key = split_claim_of(redis.call('HGET', P .. ':c:' .. wid, id) or '')
  if key == '' then
    add(1 - tonumber(fence) / 1e17, function() unclaim(wid, id, element) end)
  elseif key then
    claimed[key .. NUL .. element] = true
  end
end

local seen, times, deep = {}, {}, 0 -- deep: copies that were seen in a list too long to search
for i = 4, #ARGV, 3 do
  local name = ARGV[i] .. NUL .. ARGV[i + 1] .. NUL .. ARGV[i + 2]
  times[name] = (times[name] or 0) + 1
end
for i = 4, #ARGV, 3 do
  local place, key, element = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local name = place .. NUL .. key .. NUL .. element
  local list = place == 'k' and P .. ':k:' .. key or P .. ':' .. place
  if not seen[name] and place == 'd' then
    local entry = 'J' .. element .. NUL .. key
    local held = redis.call('HEXISTS', TAG .. ':held', id) == 1
    if redis.call('ZSCORE', P .. ':d', entry) then
      add(held and 2 or 5, function()
        redis.call('ZREM', P .. ':d', entry)
        if held then
          redis.call('HDEL', TAG .. ':held', id)
          redis.call('DEL', TAG .. ':a:' .. id)
        end
      end)
    end
  elseif not seen[name] then
    local n, is_sure = count_in(list, element)
    if not is_sure then deep = deep + math.max(0, times[name] - n) end
    for nth = 1, n do
      local rank = claimed[key .. NUL .. element] and 1 or place == 'k' and 3 or 4
      add(rank + nth / 1e6, function()
        redis.call('LREM', list, -1, element)
        if place == 'k' then check_key(key, wids, { id }) end
      end)
    end
  end
  seen[name] = true
end
if redis.call('ZSCORE', P .. ':x', id) then
  add(6, function()
    redis.call('ZREM', P .. ':x', id)
    redis.call('HDEL', P .. ':xe', id)
  end)
end
if #copies < 2 then return deep > 0 and #copies + deep > 1 and copies[1] and copies[1].rank > 2 and { 'too-deep' } or said end
table.sort(copies, function(a, b) return a.rank < b.rank end)
for i = 2, repairs and #copies or 0 do
  copies[i].remove()
end
return { 'twice' }
