-- What an origin remembers until it has ended: refs of its effects, results of steps, notes, errors of attempts, in
-- e:<origin>. em holds the origins that have such a memory, so that settling one that has none costs nothing.
local function remember(origin, field, value)
  redis.call('HSET', P .. ':e:' .. origin, field, value)
  redis.call('SADD', P .. ':em', origin)
end

local function forget_memories(origins)
  local known, keys, gone = redis.call('SMISMEMBER', P .. ':em', unpack(origins)), {}, {}
  for i, has in ipairs(known) do
    if has == 1 then
      gone[#gone + 1] = origins[i]
      keys[#keys + 1] = P .. ':e:' .. origins[i]
    end
  end
  if #gone == 0 then return end
  redis.call('UNLINK', unpack(keys))
  redis.call('SREM', P .. ':em', unpack(gone))
end
