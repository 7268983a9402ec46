-- What every script starts from. KEYS[1] = the queue's prefix, {<namespace>:<shard>}:q:<queue>. ARGV[1] = ms added to the
-- server's clock, 0 outside of tests. The keys of a queue (suffixes of its prefix):
--   f           last claim fence                  j     id -> envelope, or NUL + token of a body kept in b:<token>
--   w<class>    unkeyed elements                  r<class>  ready ring: keys whose head may be claimed
--   k:<key>     elements of a key; a claimed run stays at the head until settled
--   d           due ms -> J<element> NUL <key>, or K<key> (parked)
--   wk, wi      worker -> claim expiry; -> client id and description
--   c:<wid>     id -> fence NUL element NUL key: what that worker has claimed
--   e:<origin>  effects memory: effect id -> ref; edit:<ref> -> last edit; error:<n>
--   em          origins that have such a memory
--   o           origin -> present id where they differ   pr:<producer>  batch -> reply
--   u:<uid>     dedupe id -> id    h  history (JSON with "at", newest first)    i  bells of idle workers    x, xe  dead letters
--   m           bodyBytes, beatAt, graceUntil    s, sd  schedules
--   pauses      what is paused: queue | r<route> | k<key> -> since ms
-- and of all queues of a shard (suffixes of its tag):
--   seq         last id                           queues  names of the queues
--   after       origin (base 36) -> ids that wait for it    held    waiting id -> prefix of its queue NUL its entry of d
--   a:<id>      origins that this id waits for
--   limits      r<route> | q<queue> -> limits     gcra    limiter -> when its next turn is due (ms)
--   l:<limit>   what runs under a concurrency limit: prefix NUL worker NUL id
--   orders      pod -> quiet | stop
--
-- Invariant: a key with a non-empty list is in exactly one of {ring, one worker's claim, parked}; one with an empty list
-- is in none. A script that errors half-way is not rolled back, so everything is checked before the first write.
local P = KEYS[1]
local TAG = string.match(P, '^{.-}')
local NUL = '\0'
local RUN_MAX = 16 -- no run is longer
local CLAIM_MS = 5000
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2] + tonumber(ARGV[1]) * 1000
local now = math.floor(now_us / 1000)

local function decimal(number)
  return string.format('%.0f', number)
end

local function class_of(element)
  return string.sub(element, 1, 1)
end

local function id_of(element)
  return string.match(element, '^%d:(%d+)')
end

-- Ids and fences never come twice, even when a failover rolled the counter back. They tell the server's time in µs.
local function draw(counter, count)
  local first = math.max(tonumber(redis.call('GET', counter) or '0') + 1, now_us)
  redis.call('SET', counter, decimal(first + count - 1))
  return first
end

-- Rings at most `count` idle workers of the queue; a bell that nobody hears is passed on to the next.
local function wake(queue, count)
  while count > 0 do
    local bells = redis.call('SPOP', queue .. ':i', count)
    if #bells == 0 then return end
    for _, bell in ipairs(bells) do
      if redis.call('SPUBLISH', bell, '') > 0 then count = count - 1 end
    end
  end
end
