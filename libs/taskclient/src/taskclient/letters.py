"""A dead letter: one message that could not be run, kept as it was, and the one way in which it is written to Redis."""

from typing import Final

from pydantic import BaseModel, ConfigDict

SERVICES_KEY: Final = "workerkit:services"  # set of the services that have ever had a worker; `bury` adds to it too

UNREADABLE: Final = "unreadable"  # no valid message of Celery's protocol
UNROUTABLE: Final = "unroutable"  # it lay in a queue that nobody consumes any more
REFUSED: Final = "refused"  # readable, but its payload does not fit the task's signature
UNKNOWN_TASK: Final = "unknown task"  # nobody knew its name for too long
FAILED: Final = "failed"  # its task failed for good
TIME_LIMIT: Final = "time limit"  # its task ran into its hard time limit
DELIVERY_LIMIT: Final = "delivery limit"  # whoever ran it died, too often
WAITED_TOO_LONG: Final = "waited too long"  # it was older than its task's limit when a worker took it


def dead_key(service: str) -> str:
    """The sorted set of a service's dead letters, id -> last time; its other keys begin with it.

    `:letters` (hash id -> record), `:raw` (hash id -> message), `:bytes` (size of both), `:counts` (hash of letters by
    reason and task), `:limits` (hash, as the last worker had them), `:dropped` (how many the limits have removed),
    `:replayed:<id>` (record of a replayed letter, so that one that dies again keeps its first time and its count).
    """
    return f"worker:{service}:dead"


class Letter(BaseModel):
    """What is known about a dead letter, beside its raw message.

    Args:
        id: the task's id, or a digest of the message where it has none; the same message that dies again is one letter.
        reason: one of this module's words, such as `failed` or `unreadable`.
        error: one line: the exception, or what is wrong with the message.
        traceback: of the last attempt, if there was one.
        task: the task's name, if the message says one.
        list: the Redis list (or RabbitMQ queue) that the message came from; replaying puts it there again.
        service: whose worker wrote the letter.
        version: that worker's version.
        worker: that worker's node name.
        first: when it died first, seconds since 1970.
        last: when it died last.
        attempts: how often it died.
        retries: Celery's count of retries in the last attempt.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    reason: str
    error: str = ""
    traceback: str | None = None
    task: str | None = None
    list: str = ""
    service: str = ""
    version: str = ""
    worker: str = ""
    first: float = 0.0
    last: float = 0.0
    attempts: int = 1
    retries: int = 0


# Lua functions for every script that buries or removes: one step with the removal from wherever the message was.
# `key` is dead_key(service), `now` in seconds, `limits` is {keep seconds, most letters, most bytes}, all numbers.
# The counts by reason and by task are kept here, so that statistics need not read the letters.
BURY_LUA: Final = """
local function count(key, text, step)
  local fine, letter = pcall(cjson.decode, text)
  if not fine or type(letter) ~= 'table' then return end
  local task = type(letter.task) == 'string' and letter.task or ''
  for _, field in ipairs({'reason:' .. tostring(letter.reason), 'task:' .. task}) do
    if redis.call('HINCRBY', key .. ':counts', field, step) <= 0 then redis.call('HDEL', key .. ':counts', field) end
  end
end

local function forget(key, id)
  local text = redis.call('HGET', key .. ':letters', id)
  local size = (text and #text or 0) + redis.call('HSTRLEN', key .. ':raw', id)
  redis.call('ZREM', key, id)
  redis.call('HDEL', key .. ':letters', id)
  redis.call('HDEL', key .. ':raw', id)
  redis.call('DECRBY', key .. ':bytes', size)
  if text then count(key, text, -1) end
end

local function drop(key, id)
  forget(key, id)
  redis.call('INCR', key .. ':dropped')
end

local function bury(key, id, letter, raw, now, limits)
  local fresh = cjson.decode(letter)
  local old = redis.call('HGET', key .. ':letters', id)
  local past = old or redis.call('GET', key .. ':replayed:' .. id)
  fresh.first, fresh.last, fresh.attempts = now, now, 1
  local fine, known = pcall(cjson.decode, past or '')
  if fine and type(known) == 'table' then
    fresh.first, fresh.attempts = tonumber(known.first) or now, (tonumber(known.attempts) or 0) + 1
  end
  if old then forget(key, id) end
  redis.call('DEL', key .. ':replayed:' .. id)
  local text = cjson.encode(fresh)
  redis.call('HSET', key .. ':letters', id, text)
  redis.call('HSET', key .. ':raw', id, raw)
  redis.call('ZADD', key, now, id)
  redis.call('INCRBY', key .. ':bytes', #text + #raw)
  count(key, text, 1)
  local service = string.match(key, '^worker:(.*):dead$')
  if service then redis.pcall('SADD', 'workerkit:services', service) end  -- so that its letters are found
  redis.call('HSET', key .. ':limits', 'seconds', limits[1], 'letters', limits[2], 'bytes', limits[3])
  for _, overdue in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', now - limits[1], 'LIMIT', 0, 10)) do
    if overdue ~= id then drop(key, overdue) end
  end
  while redis.call('ZCARD', key) > limits[2] or tonumber(redis.call('GET', key .. ':bytes')) > limits[3] do
    local oldest = redis.call('ZRANGE', key, 0, 0)[1]
    if not oldest or oldest == id then break end
    drop(key, oldest)
  end
end
"""
