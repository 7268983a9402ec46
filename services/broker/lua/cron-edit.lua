-- An operator's edit of one schedule, unless somebody else was faster. What the leader has read before is of no use to it
-- from now on. KEYS: prefix of the schedules. ARGV: clock offset, id, the edit as it was ('' = none), as it is to be
-- ('' = none), most edits. Answers 1, or 0 when it was another one by now.
-- @include broker/lua/lib/base
local edits, id = P .. ':so', ARGV[2]
if (redis.call('HGET', edits, id) or '') ~= ARGV[3] then return 0 end
if ARGV[4] == '' then
  redis.call('HDEL', edits, id)
else
  if ARGV[3] == '' and redis.call('HLEN', edits) > tonumber(ARGV[5]) then
    return redis.error_reply('FULL there are too many edited schedules')
  end
  redis.call('HSET', edits, id, ARGV[4])
end
redis.call('HINCRBY', edits, '', 1)
return 1
