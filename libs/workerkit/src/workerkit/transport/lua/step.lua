-- One step of a worker: renew the lease, carry out what was decided about held messages, claim new ones.
-- KEYS: the lists to claim from, in order. Client tracking wakes for what is read here: when a list that was empty is not
-- any more, when a queue is paused or resumed, when a task is cancelled.
-- Further arguments: 9 how many to claim, 10 number of the first new tag, 11 1 = take suspects along with others,
--   12 n, then n tags of finished messages, then (verdict, tag, value, value) for all others.
-- Returns {1 if the holder was not known, 1 if a suspect waits until nothing else runs here, condemned raw
--   messages, claimed (list, raw, crashes) ..., ms since 1970, ids of claimed messages that were cancelled}.
local want, tag, along, acks = tonumber(ARGV[9]), tonumber(ARGV[10]), ARGV[11] == '1', tonumber(ARGV[12])

local unknown = redis.call('ZADD', holders, now + lease, holder)

if acks > 0 then
  redis.call('HDEL', inflight, unpack(ARGV, 13, 12 + acks))
end

local verdicts = {
  clear = function(_, raw) redis.call('HDEL', attempts, redis.sha1hex(raw)) end,
  front = function(list, raw) put('RPUSH', list, raw) end,
  delay = function(list, raw, due, name) redis.call('ZADD', delayed, due, name .. '\n' .. list .. '\n' .. raw) end,
  bury = function(_, raw, id, letter)
    bury(dead, id, letter, raw, now / 1000, letter_limits)
    redis.call('HDEL', attempts, redis.sha1hex(raw))
  end,
  park = function(list, raw, task)
    redis.call('SADD', parked, task)
    redis.call('LPUSH', parked .. ':' .. task, parked_entry(list, now, raw))
  end,
  -- The process that ran it died, or its task asked for another delivery. The first time it goes to the front; later
  -- to the back, because a task that asks for ever must not keep all others waiting.
  crash = function(list, raw)
    local times = count_crash(raw)
    if times >= limit then
      condemn(list, raw, 'delivery limit', 'delivered ' .. times .. ' times, and never finished: its process died, '
        .. 'or it was put back each time')
    else
      put(times == 1 and 'RPUSH' or 'LPUSH', list, raw)
    end
  end,
}
for at = 13 + acks, #ARGV, 4 do
  local entry = redis.call('HGET', inflight, ARGV[at + 1])
  if entry then  -- else it is settled already: the reply of an earlier step was lost
    redis.call('HDEL', inflight, ARGV[at + 1])
    local list, raw = split(entry)
    verdicts[ARGV[at]](list, raw, ARGV[at + 2], ARGV[at + 3])
  end
end

local claimed, got, blocked = {}, 0, 0
-- One question, as mostly there is none of them: crashes are counted, queues are paused, tasks are cancelled.
local special = want > 0 and redis.call('EXISTS', attempts, paused, cancelled) > 0
local counting = special and redis.call('EXISTS', attempts) == 1
local pausing = special and redis.call('EXISTS', paused) == 1
local cancelling = special and redis.call('EXISTS', cancelled) == 1
local alone = counting and alone_key(holder)
local off = {}

local lists = KEYS
if pausing then
  lists = {}
  for _, list in ipairs(KEYS) do  -- the list of another priority has the queue's name before kombu's separator
    local queue = string.match(list, '^(.-)\6\22') or list
    if redis.call('SISMEMBER', paused, queue) == 0 then lists[#lists + 1] = list end
  end
end

-- The message's id is among the texts that some "id" is followed by; what else is found belongs to no message here.
local function note_cancelled(raw)
  local _, at = string.find(raw, '"id":', 1, true)
  while at do
    local id = string.match(raw, '^%s*"([^"]+)"', at + 1)
    if id and redis.call('ZSCORE', cancelled, id) then off[#off + 1] = id end
    _, at = string.find(raw, '"id":', at, true)
  end
end

local function hold(list, raw, crashes)
  if cancelling then note_cancelled(raw) end
  redis.call('HSET', inflight, tag + got, list .. '\n' .. raw)
  got = got + 1
  claimed[#claimed + 1], claimed[#claimed + 2], claimed[#claimed + 3] = list, raw, crashes
end

-- A suspect is a message whose next crash would condemn it. It runs alone, so that no neighbour is condemned with it.
-- Where the processes of a worker claim for themselves, that means: alone in all of them, as they may die together.
-- Their key `alone` says which of them has a suspect, or until when it wants one to be left alone.
local sole_until, sole = string.match(alone and redis.call('GET', alone) or '', '^(%d+) (.+)$')
local suspect = false
if sole and sole ~= holder and want > 0 then
  local lives = tonumber(redis.call('ZSCORE', holders, sole) or 0) > now
  if tonumber(sole_until) > now or (lives and redis.call('HLEN', prefix .. ':inflight:' .. sole) > 0) then
    want, blocked = 0, 1
  end
end

local function leave_alone(until_then)
  if alone then redis.call('SET', alone, until_then .. ' ' .. holder, 'EX', 604800) end
end

local function others_hold()
  for _, name in ipairs(alone and redis.call('ZRANGE', holders, 0, -1) or {}) do
    if name ~= holder and worker_of(name) == worker_of(holder)
      and redis.call('HLEN', prefix .. ':inflight:' .. name) > 0 then return true end
  end
  return false
end

local function claim(list, raw)
  local crashes = counting and tonumber(redis.call('HGET', attempts, redis.sha1hex(raw)) or 0) or 0
  if crashes < limit - 1 or along then
    hold(list, raw, crashes)
  elseif got == 0 and redis.call('HLEN', inflight) == 0 and not others_hold() then
    hold(list, raw, crashes)
    leave_alone(now)
    want, suspect = got, true
  else
    redis.call('RPUSH', list, raw)
    leave_alone(now + 1000)
    blocked = 1
  end
end

for _, list in ipairs(lists) do
  while got < want and blocked == 0 do
    local popped = redis.pcall('RPOP', list, counting and 1 or want - got)
    if not popped or popped.err then break end
    for _, raw in ipairs(popped) do claim(list, raw) end
  end
end

if sole == holder and want > 0 and not suspect and blocked == 0 then redis.call('DEL', alone) end

if got < want then  -- reading the lengths is what makes Redis tell when somebody pushes
  for _, list in ipairs(lists) do redis.pcall('LLEN', list) end
end
return {unknown, blocked, condemned, claimed, now, off}
