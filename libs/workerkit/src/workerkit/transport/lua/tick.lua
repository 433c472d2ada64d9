-- What a worker's keeper does every few seconds: renew the lease, take over from the dead, move what is due.
-- Further arguments: 9 1 = may call others dead, 10 how many due messages to move.
-- Returns {1 if the holder was not known, messages taken over, ms until the next is due or -1, condemned, parked names,
--   how full the store of dead letters is in percent}.
local unknown = redis.call('ZADD', holders, now + lease, holder)

local function take_over(name)
  local hash = prefix .. ':inflight:' .. name
  local fields = redis.call('HGETALL', hash)
  local found = {}
  for at = 1, #fields, 2 do
    found[#found + 1] = {tonumber(fields[at]) or 0, fields[at + 1]}
  end
  local alone = alone_key(name)
  local was_alone = #found == 1 and (not alone or string.match(redis.call('GET', alone) or '', ' (.+)$') == name)
  table.sort(found, function(a, b) return a[1] > b[1] end)  -- newest first, as each goes to the very front
  for _, pair in ipairs(found) do
    local list, raw = split(pair[2])
    local times = count_crash(raw)
    if times >= limit and was_alone then  -- so it is the one
      condemn(list, raw, 'delivery limit', 'its worker died ' .. times .. ' times while it ran')
    else
      if times >= limit then redis.call('HSET', attempts, redis.sha1hex(raw), limit - 1) end
      put('RPUSH', list, raw)
    end
  end
  redis.call('DEL', hash)
  redis.call('ZREM', holders, name)
  return #found
end

local taken = 0
if ARGV[9] == '1' then
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', holders, '-inf', now, 'LIMIT', 0, 2)) do
    taken = taken + take_over(name)
  end
end

local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, tonumber(ARGV[10]))
for at = #due, 1, -1 do  -- latest first, so that the earliest ends at the very front
  redis.call('ZREM', delayed, due[at])
  local _, entry = split(due[at])
  put('RPUSH', split(entry))
end

local wait = -1
local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
if first[2] then wait = math.max(0, math.ceil(tonumber(first[2]) - now)) end
local full = math.max(
  redis.call('ZCARD', dead) / letter_limits[2], tonumber(redis.call('GET', dead .. ':bytes') or 0) / letter_limits[3])
return {unknown, taken, wait, condemned, redis.call('SRANDMEMBER', parked, 100), math.floor(full * 100)}
