-- What every script of the transport begins with. Arguments of all scripts:
--   1 prefix of the service's keys   2 holder          3 lease in ms       4 delivery limit
--   5 {service, version, worker}     6 keep letters s  7 most letters      8 their most bytes
local prefix, holder, lease, limit = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local letter_limits = {tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])}
local holders, attempts, dead = prefix .. ':holders', prefix .. ':attempts', prefix .. ':dead'
local delayed, parked = prefix .. ':delayed', prefix .. ':parked'
local paused, cancelled = prefix .. ':paused', prefix .. ':cancelled'  -- a set of queues; ids by when they are forgotten
local inflight = prefix .. ':inflight:' .. holder

-- The processes of one worker that claim for themselves have its name in common, behind an @.
local function worker_of(name)
  return string.match(name, '@(.+)$')
end

local function alone_key(name)
  return worker_of(name) and prefix .. ':alone:' .. worker_of(name)
end

-- A full Redis refuses a script's first write if it may need memory, and lets later ones pass. So a write that needs
-- none comes first: moving messages and acknowledging them must go on, or nothing would ever get free.
redis.call('HDEL', inflight, '-')

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local condemned = {}

local function split(entry)
  local at = string.find(entry, '\n', 1, true)
  return string.sub(entry, 1, at - 1), string.sub(entry, at + 1)
end

local function plain(value)
  return type(value) == 'string' and #value <= 255 and string.find(value, '^[%w_%.:@/+-]+$') and value or nil
end

-- Makes a dead letter of a message whose own words are all that is known. The text of the message is only read here,
-- never written again: cjson would turn [] into {} and large integers into floats.
local function condemn(list, raw, reason, problem, task)
  local readable, message = pcall(cjson.decode, raw)
  local headers = readable and type(message) == 'table' and type(message.headers) == 'table' and message.headers or {}
  local letter = cjson.decode(ARGV[5])
  letter.id = plain(headers.id) or redis.sha1hex(raw)
  letter.task = plain(task) or plain(headers.task)
  letter.list, letter.reason, letter.error = list, reason, problem
  bury(dead, letter.id, cjson.encode(letter), raw, now / 1000, letter_limits)
  redis.call('HDEL', attempts, redis.sha1hex(raw))
  condemned[#condemned + 1] = raw
end

-- Puts a message back, by RPUSH at the front of its list or by LPUSH at the back. Lua does not roll back, so a list
-- that has become something else must not end the script halfway.
local function put(command, list, raw)
  local done = redis.pcall(command, list, raw)
  if type(done) == 'table' and done.err then
    condemn(list, raw, 'unroutable', done.err)
  end
end

local function count_crash(raw)
  redis.call('EXPIRE', attempts, 604800)
  return redis.call('HINCRBY', attempts, redis.sha1hex(raw), 1)
end
