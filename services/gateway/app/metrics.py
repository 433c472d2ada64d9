"""Metrics for Prometheus: what callers ask for, and how full the queues are when it asks."""

import time
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taskclient.client import TaskClient
from taskclient.errors import BrokerUnavailable
from taskclient.queues import QueueState

_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
_OF_QUEUES: Final = {
    "depth": "Messages that wait",
    "oldest_seconds": "How long the oldest message waits, in seconds",
    "in_flight": "Messages that workers have taken and not finished",
    "delayed": "Messages that wait for their time",
    "parked": "Messages that wait for a worker that knows their task",
    "paused": "1 if workers take no more messages",
}


class Metrics:
    """The metrics of one gateway.

    Args:
        client: reads the queues and the dead letters.
    """

    def __init__(self, client: TaskClient) -> None:
        self.registry = CollectorRegistry()
        of_request = ["key", "method", "route", "status"]
        self.requests = Counter("gateway_requests", "Requests", of_request, registry=self.registry)
        self.seconds = Histogram(
            "gateway_request_seconds", "Until the answer began", ["route"], buckets=_BUCKETS, registry=self.registry
        )
        self.sent = Counter("gateway_jobs_sent", "Tasks that were put into a queue", ["task"], registry=self.registry)
        self.viewers = Gauge("gateway_viewers", "Event streams that are open", registry=self.registry)
        self.registry.register(_Broker(client))

    def text(self) -> bytes:
        """All of them, in the form that Prometheus reads."""
        return generate_latest(self.registry)


class Measure:
    """ASGI middleware: counts requests by key, route and status.

    Args:
        app: what is behind it.
        metrics: get the counts.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, and count it when its answer begins."""
        began = time.perf_counter()

        async def counting(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                self._count(scope, message["status"], time.perf_counter() - began)
            elif message["type"] == "websocket.accept":
                self._count(scope, 101, time.perf_counter() - began)
            await send(message)

        try:
            await self._app(scope, receive, counting)
        except Exception:
            self._count(scope, 500, time.perf_counter() - began)
            raise

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or "none"  # never the path: there are too many
        key = scope.get("api_key")
        self._metrics.requests.labels(key.id if key else "", scope.get("method", "GET"), route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)


class _Broker(Collector):
    """Asks Redis when it is asked itself.

    Args:
        client: reads the queues and the dead letters.
    """

    def __init__(self, client: TaskClient) -> None:
        self._client = client

    def collect(self) -> Iterator[Metric]:
        """The queues, the dead letters, and whether Redis answered."""
        up = GaugeMetricFamily("gateway_redis_up", "1 if Redis answers")
        try:
            found = [*self._queues(), self._letters(), self._workers()]
        except BrokerUnavailable:
            found = []
        up.add_metric([], int(bool(found)))
        yield from [*found, up]

    def describe(self) -> list[Metric]:
        """Nothing, so that registering asks Redis for nothing."""
        return []

    def _queues(self) -> list[Metric]:
        try:
            states = self._client.queues()
        except ValueError:  # RabbitMQ, which has metrics of its own
            return []
        return [_of_queues(name, text, states) for name, text in _OF_QUEUES.items()]

    def _letters(self) -> Metric:
        found = GaugeMetricFamily("task_dead_letters", "Dead letters", labels=["service"])
        for stats in self._client.dead_letters().get_dlq_stats():
            found.add_metric([stats.service], stats.letters)
        return found

    def _workers(self) -> Metric:
        found = GaugeMetricFamily("task_workers", "Worker processes", labels=["service"])
        alive = [worker.service for worker in self._client.workers() if worker.lease_seconds > 0]
        for service in sorted(set(alive)):
            found.add_metric([service], alive.count(service))
        return found


def _of_queues(name: str, text: str, states: list[QueueState]) -> Metric:
    metric = GaugeMetricFamily(f"task_queue_{name}", text, labels=["service", "queue"])
    for state in states:
        metric.add_metric([state.service, state.queue], float(getattr(state, name) or 0))
    return metric
