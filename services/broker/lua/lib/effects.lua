-- @include broker/lua/lib/enqueue
-- @include broker/lua/lib/memory
-- @include bus/lua/lib/publish
local function write_effect(kind, args, at, origin)
  if kind == 'child' then -- prefix of the target queue, then a delivery as in enqueue
    return enqueue(args[at], args, at + 1, 1)[1]
  elseif kind == 'publish' then -- as in bus/lua/lib/publish
    publish(args, at)
  elseif kind == 'set' then -- hash, field, value
    redis.call('HSET', args[at], args[at + 1], args[at + 2])
  elseif kind == 'unset' then -- hash, field
    redis.call('HDEL', args[at], args[at + 1])
  elseif kind == 'step' then -- result
    return args[at]
  elseif kind == 'note' then -- field, value: the last one counts
    remember(origin, args[at], args[at + 1])
  elseif kind == 'result' then -- key, value, ms, channel
    redis.call('SET', args[at], args[at + 1], 'PX', args[at + 2])
    redis.call('SPUBLISH', args[at + 3], '')
  elseif kind == 'ref' then -- key, value, ms
    redis.call('SET', args[at], args[at + 1], 'PX', args[at + 2])
  end
end

-- Writes the effects of one run that start at args[at]; each: kind, id, edited ref or '', number of arguments, arguments.
-- An effect with an id is left out when an earlier run of the same origin wrote it; an edit only if it equals the last edit.
-- `remembers` keeps them for the next run. Answers the position after the last one and the refs.
local function write_effects(origin, args, at, n, remembers)
  local refs = {}
  for i = 1, n do
    local kind, id, edited, argc = args[at], args[at + 1], args[at + 2], tonumber(args[at + 3])
    local field = edited == '' and id or 'edit:' .. edited
    local known = id ~= '' and redis.call('HGET', P .. ':e:' .. origin, field)
    if known and (edited == '' or known == id) then
      refs[i] = known
    else
      refs[i] = write_effect(kind, args, at + 4, origin) or id
      if remembers and id ~= '' then remember(origin, field, edited == '' and refs[i] or id) end
    end
    at = at + 4 + argc
  end
  return at, refs
end

-- The position after n effects, without writing them.
local function skip_effects(args, at, n)
  for _ = 1, n do
    at = at + 4 + tonumber(args[at + 3])
  end
  return at
end
