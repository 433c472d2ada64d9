"""What a service's workers have still to do, as Redis sees it; its one queue is named as the service is."""

from devstack.valkey import Valkey


def in_flight(server: Valkey, service: str) -> int:
    """How many messages its workers hold."""
    with server.client() as redis:
        return sum(redis.hlen(key) for key in redis.keys(f"worker:{service}:inflight:*"))


def settled(server: Valkey, service: str) -> bool:
    """Whether no message waits, is held, or is due later."""
    with server.client() as redis:
        waiting = redis.llen(service) + redis.zcard(f"worker:{service}:delayed")
    return waiting == 0 and in_flight(server, service) == 0
