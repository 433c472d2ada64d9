-- Puts parked messages back into their queues, by a worker that knows their tasks.
-- Further arguments: 9 ... task names. Returns how many messages were put back.
local offered = 0
for at = 9, #ARGV do
  local list = parked .. ':' .. ARGV[at]
  for _, entry in ipairs(redis.call('RPOP', list, 100) or {}) do
    put('LPUSH', split(entry))
    offered = offered + 1
  end
  if redis.call('EXISTS', list) == 0 then redis.call('SREM', parked, ARGV[at]) end
end
return offered
