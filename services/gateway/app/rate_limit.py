"""A rate limit per key over all gateways: a token bucket in Redis, asked in one step."""

import time
from typing import Any, Final

import redis
import redis.asyncio
import structlog

from app.keys import ApiKey

_KEY_PREFIX: Final = "gateway:rate:"
_PAUSE_SECONDS: Final = 1.0  # while Redis is away
# The bucket's tokens and when they were counted. Redis' own clock, because those of the gateways differ.
_TAKE: Final = """
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local known = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local passed = math.max(now - tonumber(known[2] or now), 0)
local tokens = math.min(burst, tonumber(known[1] or burst) + passed * rate)
if tokens < 1 then return string.format('%.3f', (1 - tokens) / rate) end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens - 1), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return '0'
"""
log = structlog.get_logger("gateway")


class RateLimit:
    """The buckets of all keys.

    Args:
        client: of the Redis that all gateways share.
    """

    def __init__(self, client: "redis.asyncio.Redis[bytes]") -> None:
        self._take: Any = client.register_script(_TAKE)
        self._ask_again = 0.0

    async def wait_of(self, key: ApiKey) -> float:
        """Take a token.

        Returns:
            0 if there was one, else the seconds until there is. While Redis is away nothing is limited: what costs
            something does not work then either.
        """
        if time.monotonic() < self._ask_again:
            return 0.0
        try:
            return float(await self._take(keys=[_KEY_PREFIX + key.id], args=[key.per_second, key.burst]))
        except redis.RedisError as error:
            log.warning("the rate limit cannot be asked", key=key.id, error=str(error))
            self._ask_again = time.monotonic() + _PAUSE_SECONDS
            return 0.0


def too_often(key: ApiKey, wait: float) -> str:
    """What to tell the owner of a key who has to wait so many seconds."""
    return f"The key {key.id} may make {key.per_second:g} requests a second; try again in {wait:.1f} s."
