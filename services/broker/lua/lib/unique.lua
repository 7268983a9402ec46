-- @include broker/lua/lib/bodies
-- @include broker/lua/lib/ids
-- Dedupe: `uid` = '<ttl ms> <until><repeat> <name>'. until: t = for the ttl, e = until it has ended, s = until a worker takes
-- it. repeat: k = the first one is kept, r = it gets the new body, d = and the new due time. No lock can be orphaned: whether
-- the first one still counts is looked up when the second comes.

-- The number under which a delivery is stored now, if it has not ended.
local function present_id(queue, id)
  if redis.call('HEXISTS', queue .. ':j', id) == 0 then
    id = redis.call('HGET', queue .. ':o', public_id(id))
    if not id or redis.call('HEXISTS', queue .. ':j', id) == 0 then return end
  end
  if not redis.call('ZSCORE', queue .. ':x', id) then return id end
end

-- The worker that has claimed a delivery.
local function claimer(queue, id)
  for _, wid in ipairs(redis.call('ZRANGE', queue .. ':wk', 0, -1)) do
    if redis.call('HEXISTS', queue .. ':c:' .. wid, id) == 1 then return wid end
  end
end

local function replace_body(queue, id, body)
  local old, new = body_token(redis.call('HGET', queue .. ':j', id) or ''), body_token(body)
  if old then redis.call('UNLINK', queue .. ':b:' .. old) end
  if new then redis.call('PERSIST', queue .. ':b:' .. new) end
  local change = (new and body_bytes(new) or 0) - (old and body_bytes(old) or 0)
  if change ~= 0 then redis.call('HINCRBY', queue .. ':m', 'bodyBytes', change) end
  redis.call('HSET', queue .. ':j', id, body)
end

-- What a uid that is known means for a new delivery: the first one's id, the number it is stored under now, and what happens
-- to it (action k, r or d). Nil when it does not count any more; then the uid is the new one's. `fresh`: this batch's own.
local function known_by(queue, uid, id, fresh)
  local ttl, ending, action, name = string.match(uid, '^(%d+) (%l)(%l) (.*)$')
  local slot = queue .. ':u:' .. name
  local known = redis.call('SET', slot, id, 'NX', 'GET', 'PX', ttl)
  if not known then return end
  if fresh[known] or ending == 't' and action == 'k' then return { id = known, action = action } end
  local present = present_id(queue, known)
  local claimed = present and (ending == 's' or action ~= 'k') and claimer(queue, present)
  if ending ~= 't' and (not present or ending == 's' and claimed) then
    redis.call('SET', slot, id, 'PX', ttl)
    return
  end
  if not present or claimed then action = 'k' end
  return { id = known, present = present, action = action }
end
