"""What Celery counts of a chord in the database of the results: how many must end, also one that runs again."""

from collections.abc import Mapping
from typing import Any, Final

from taskclient.connection import RedisClient

GROUP_PREFIX: Final = "celery-taskset-meta-"

CHORD_SECONDS: Final = 86_400  # as long as the workers keep results
NOTHING, REOPENED, BUSY = 0, 1, 2

# Celery counts each header task once. A failed one has been counted, and the chord that ended with it has lost its
# size: take the failure out, and write the size again. See CHORD_PART_RETURN_LUA in celery/backends/redis.py.
_REOPEN_LUA = """
local jkey, tkey, skey, dkey, ckey = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local task_id, place = ARGV[1], ARGV[2]
local claim, size = redis.call('GET', ckey), redis.call('GET', skey)
local member = task_id .. ':' .. place
if claim == 'done' or redis.call('SISMEMBER', dkey, member) == 0 then return 0 end
if redis.call('TYPE', jkey).ok ~= 'zset' then return 0 end
if size and claim then return 2 end
for _, text in ipairs(redis.call('ZRANGEBYSCORE', jkey, place, place)) do
  local part = cjson.decode(text)
  if part[2] == task_id and part[3] ~= 'SUCCESS' then
    local left = redis.call('PTTL', jkey)
    if not size then
      size = redis.call('ZCARD', jkey) - tonumber(redis.call('GET', tkey) or 0)
      redis.call('SET', skey, size)
      if left > 0 then redis.call('PEXPIRE', skey, left) end
      redis.call('DEL', ckey)
    end
    redis.call('ZREM', jkey, text)
    redis.call('SREM', dkey, member)
    return 1
  end
end
return 0
"""


def chord_sizes(chords: Mapping[str, int]) -> dict[str, int]:
    """How many tasks must end before a chord's body is sent, by the key at which Celery looks for it.

    Args:
        chords: the number by the id of the chord's group.
    """
    return {f"{GROUP_PREFIX}{group}.s": size for group, size in chords.items()}


def reopen_chord(client: RedisClient, headers: dict[str, Any]) -> int:
    """Take the failure of a header task out of its chord, so that the chord waits for the task again.

    Doing it twice does no harm; if the task is not run afterwards, the chord waits for it until its data expire.

    Args:
        client: of the database of the results.
        headers: of the task's message; `group`, `group_index` and `id` say which part of which chord it is.

    Returns:
        REOPENED; NOTHING if there is no such failure: no chord, the chord's data have expired, its body has been sent;
        BUSY if a worker is just ending the chord.
    """
    group, task_id, index = headers.get("group"), headers.get("id"), headers.get("group_index")
    if not isinstance(group, str) or not isinstance(task_id, str):
        return NOTHING
    keys = [f"{GROUP_PREFIX}{group}.{letter}" for letter in "jtsdc"]
    place = "+inf" if index is None else str(index)
    script = client.register_script(_REOPEN_LUA)
    return int(script(keys=keys, args=[task_id, place]))
