-- Puts parked messages back into their queues, by a worker that knows their tasks.
-- Further arguments: 9 ... task names. Returns how many messages were put back.
local offered = 0
for at = 9, #ARGV do
  offered = offered + unpark(parked, ARGV[at], 100, function(list, raw) put('LPUSH', list, raw) end)
end
return offered
