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
--   u:<uid>     dedupe id -> id    h  history, newest first: <lines> <ms> <wid>, then the lines, …    i  bells of idle workers    x, xe  dead letters
--   m           bodyBytes, beatAt, graceUntil, history (lines), flow (lib/flow.lua), failing and failed (lib/failing.lua)
--   s           schedule -> next slot ms; in the queue `default` for all queues, and with it, by schedule: sd definition,
--               si description, sl last slot, so what an operator edited ('' -> version of the edits)
--   unreadable  what was found in a line and could not be read, newest first: place NUL key NUL text
--   pauses      what is paused: queue | r<route> | k<key> -> since ms
-- and of all queues of a shard (suffixes of its tag):
--   seq         last id                           queues  names of the queues
--   after       origin (base 36) -> ids that wait for it    held    waiting id -> prefix of its queue NUL its entry of d
--   a:<id>      origins that this id waits for
--   limits      r<route> | q<queue> -> limits     gcra    limiter -> when its next turn is due (ms)
--   l:<limit>   what runs under a concurrency limit: prefix NUL worker NUL id
--   orders      pod -> quiet | stop | quiet <until ms>
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

-- In two halves: '%.0f' takes four times as long, and '%d' has only 32 bits in WebAssembly.
local function decimal(number)
  if number < 100000000 then return string.format('%d', number) end
  return string.format('%d%08d', math.floor(number / 100000000), number % 100000000)
end

-- Neither fails on what is no element: in a line it must not stop whoever meets it (take puts it by).
local CLASSES = { ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3' }
local function class_of(element)
  return CLASSES[string.sub(element, 1, 1)] or '1'
end

local function id_of(element)
  return string.sub(element, 3, (string.find(element, ':', 3, true) or 0) - 1)
end

local function is_element(text)
  return string.match(text, '^[0-3]:%d+:%d+:%d+:%d+!?$') ~= nil
end

-- Ids and fences never come twice, even when a failover rolled the counter back. They tell the server's time in µs.
local function draw(counter, count)
  local known = tonumber(redis.call('SET', counter, decimal(now_us + count - 1), 'GET') or '0')
  if known < now_us then return now_us end
  redis.call('SET', counter, decimal(known + count))
  return known + 1
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
