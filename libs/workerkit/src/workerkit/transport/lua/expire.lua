-- Makes dead letters of messages that have been parked for as long as dead letters are kept.
-- Further arguments: 9 how many messages to move at most, 10 ... names of tasks that this worker does not know.
-- Returns {1 if there may be more to do, the raw messages}.
local left, days = tonumber(ARGV[9]), letter_limits[1] / 86400
for at = 10, #ARGV do
  local task = ARGV[at]
  left = left - unpark(parked, task, left, function(list, raw, since)
    if not since then  -- nobody knows when it was parked, so it counts from now on
      redis.call('LPUSH', parked .. ':' .. task, parked_entry(list, now, raw))
      return true
    elseif now - since < letter_limits[1] * 1000 then
      return false
    end
    condemn(list, raw, 'unknown task', string.format('no worker knew its name for %g days', days), task)
    return true
  end)
end
return {left == 0 and 1 or 0, condemned}
