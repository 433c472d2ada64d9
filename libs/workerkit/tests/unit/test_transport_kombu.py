"""What the transport and the pools expect of Celery, kombu and redis-py beyond their interfaces."""

import inspect

import celery
import kombu
import pytest
from celery import Celery, _state
from celery.app import backends
from celery.app.task import Context
from celery.backends.redis import RedisBackend
from celery.concurrency.asynpool import AsynPool
from celery.events.dispatcher import EventDispatcher
from celery.utils import threads
from celery.worker import state
from celery.worker.consumer import Consumer
from celery.worker.request import Request
from kombu.message import Message
from kombu.transport import redis, virtual
from redis.connection import AbstractConnection

PARTS = {
    redis.MultiChannelPoller: ["on_readable", "handle_event", "fds", "eventflags", "on_poll_start"],
    redis.Channel: [
        "_basic_cancel",
        "_get_publish_topics",
        "_put_fanout",
        "_update_queue_cycle",
        "_connparams",
        "_create_client",
        "_disconnect_pools",
        "_receive_one",
        "active_queues",
        "conn_or_acquire",
        "priority_steps",
        "sep",
    ],
    redis.Transport: ["register_with_event_loop"],
    virtual.QoS: ["append", "ack", "can_consume", "reject", "restore_unacked", "restore_unacked_once"],
    Consumer: [
        "_flush_events",
        "call_soon_ack",
        "on_close",
        "on_decode_error",
        "on_invalid_task",
        "on_send_event_buffered",
    ],
    Request: ["_announce_revoked", "on_failure", "on_timeout", "message", "request_dict"],
    RedisBackend: ["_MAX_STR_VALUE_SIZE", "exception_safe_to_retry"],
    _state: ["_task_stack"],
    threads.LocalStack: ["__ident_func__"],
    threads: ["USE_FAST_LOCALS"],
    state: ["active_requests", "reserved_requests", "scheduled_requests"],
}


@pytest.mark.parametrize(("owner", "name"), [(owner, name) for owner, names in PARTS.items() for name in names])
def test_the_parts_are_there(owner: type, name: str) -> None:
    assert hasattr(owner, name), f"{owner.__name__}.{name} is gone: read workerkit.transport before this upgrade"


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (redis.MultiChannelPoller.__init__, ["_fd_to_chan", "self.poller"]),
        (redis.MultiChannelPoller.on_readable, ["_fd_to_chan", "handlers[type]", "can_consume"]),
        (redis.Channel.__init__, ["self.handlers", "cycle.add(self)", "client.ping()"]),
        (redis.Channel._connparams, ["self, asynchronous=False", "connparams['connection_class'] = connection_cls"]),
        (redis.Channel.close, ["_in_poll", "_brpop_read"]),
        (virtual.QoS.__init__, ["_on_collect"]),
        (virtual.Channel.basic_consume, ["connection._callbacks[queue]", "qos.append", "self.Message("]),
        (redis.Transport.register_with_event_loop, ["cycle.fds", "add_reader(fd, on_readable, fd)"]),
        (Celery.__init__, ["self._backend_cache = None"]),
        (backends.by_name, ["loader.override_backends"]),
        (RedisBackend.__init__, ["self.connparams"]),
        (Celery._get_backend, ["self.loader"]),
        (AbstractConnection.disconnect, ["conn_sock = self._sock", "self.pid"]),
        (AsynPool.__init__, ["_fileno_to_outq"]),
        (AsynPool.register_with_event_loop, ["self.handle_result_event"]),
        (
            AsynPool._create_write_handlers,
            [
                "job._write_to = proc",
                "self._quick_put = send_job",
                "hub.consolidate_callback = schedule_writes",
                "self.on_poll_start = on_poll_start",
                "mark_worker_as_busy(ready_fd)",
            ],
        ),
        (redis.Channel._update_queue_cycle, ["self.active_queues"]),
        (redis.Channel._put_fanout, ["_publish_batch", "client.publish(topic, payload)"]),
        (virtual.Message.__init__, ["payload.get('body')", "properties.get('body_encoding')"]),
        (Message.payload.fget, ["self._decoded_cache if self._decoded_cache"]),
        (EventDispatcher.send, ["self._publish(", "self.flush()"]),
        (Context.__init__, ["if self.headers is None"]),
        (
            Context._get_custom_headers,
            ["{*Context.__dict__.keys(), 'lang', 'task', 'argsrepr',"],
        ),
        (Consumer.on_close, ["reserved_requests", "active_requests", "scheduled_requests", "clear_pending"]),
    ],
)
def test_they_work_as_they_did(function: object, words: list[str]) -> None:
    source = inspect.getsource(function)  # type: ignore[arg-type]
    missing = [word for word in words if word not in source]
    assert not missing, f"{function} has changed: {missing} are gone; read workerkit.transport before this upgrade"


def test_the_versions_are_those_it_was_written_for() -> None:
    assert kombu.__version__.startswith("5.7.")
    assert celery.__version__.startswith("5.7.")
