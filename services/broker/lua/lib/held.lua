-- @include broker/lua/lib/reap
-- What `wid` holds by Redis' account: { claim, body, … }, deliveries of one key in the key's order.
local function held(wid)
  local fields = redis.call('HGETALL', P .. ':c:' .. wid)
  local claims, keys, reply = {}, {}, {}
  local function add(id)
    reply[#reply + 1] = claims[id]
    reply[#reply + 1] = redis.call('HGET', P .. ':j', id)
  end
  for i = 1, #fields, 2 do
    claims[fields[i]] = fields[i + 1]
  end
  for id, claim in pairs(claims) do
    local _, key = split_claim(claim)
    if key == '' then
      add(id)
    elseif not keys[key] then
      keys[key] = true
      for _, element in ipairs(redis.call('LRANGE', P .. ':k:' .. key, 0, RUN_MAX - 1)) do
        if claims[id_of(element)] then add(id_of(element)) end
      end
    end
  end
  return reply
end
