"""Gives each call to an API its turn, over all workers, so that together they keep to its rate limit."""

from typing import Any

import redis

from taskclient.connection import RedisClient
from workerkit.errors import TransientError

# One step, by the clock of Redis. A turn is given once and found again under the caller's id. One that was missed by
# seconds is given anew: after a stop all missed turns would be taken at once.
_SCRIPT = """
local queue, own, interval = KEYS[1], KEYS[2], tonumber(ARGV[1])
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local turn = tonumber(redis.call('get', own) or 0)
if turn < now - 5000 then
    turn = math.max(now, tonumber(redis.call('get', queue) or 0))
    redis.call('set', queue, turn + interval, 'PX', math.ceil(turn - now + interval))
end
if turn - now <= tonumber(ARGV[2]) then
    redis.call('del', own)
else
    redis.call('set', own, turn, 'PX', math.ceil(turn - now) + 60000)
end
return math.max(0, math.ceil(turn - now))
"""


class Turns:
    """A rate limit in Redis.

    Args:
        client: of the Redis that all workers share.
        per_second: turns per second and API; below 1 is possible.
        patience_seconds: who gets a turn within this time will wait for it; who gets a later one asks again.
    """

    def __init__(self, client: RedisClient, *, per_second: float, patience_seconds: float = 1.0) -> None:
        self._client: Any = client
        self._interval = 1000 / per_second
        self._patience = patience_seconds * 1000

    def wait_seconds(self, api: str, caller: str) -> float:
        """How long until the caller's turn.

        Args:
            api: the rate limit's name.
            caller: the task's id; asking again gives the same turn, until it has been within the patience.

        Raises:
            TransientError: Redis is away.
        """
        keys = (f"ingestion:turns:{api}", f"ingestion:turn:{api}:{caller}")
        try:
            milliseconds: int = self._client.eval(_SCRIPT, 2, *keys, self._interval, self._patience)
        except redis.RedisError as error:
            raise TransientError(f"the rate limit of {api!r} could not be asked for: {error}") from error
        return milliseconds / 1000
