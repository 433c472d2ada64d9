"""Every default setting of a worker, one a line with its reason; a service's `celeryconfig.py` outranks them."""

from typing import Any

# Seconds a stopping worker lets running tasks finish before it puts them back on the queue.
DRAIN_SECONDS = 10.0

_SOCKET_SECONDS = 5.0  # a silent network cut is noticed within this time, not after the kernel's minutes
_CONNECT_SECONDS = 3.0

DEFAULTS: dict[str, Any] = {
    # Delivery: a message is acknowledged after its task, so whatever dies in between, it is delivered again.
    "task_acks_late": True,  # a killed worker's task goes back instead of being lost
    "task_reject_on_worker_lost": True,  # so does the task of a killed pool process
    "worker_consumer": "workerkit.redis_consumer:Consumer",  # no message ends the worker, none is thrown away
    "worker_prefetch_multiplier": 1,  # hold little, so that little waits behind a long task
    "worker_cancel_long_running_tasks_on_connection_loss": False,  # a lost broker connection is no reason to kill
    "worker_enable_prefetch_count_reduction": False,  # after a reconnect the full credit is there at once
    "task_track_started": False,  # STARTED would cost a write per task
    # Queues: a name's route decides; see `workerkit.routing`.
    "task_create_missing_queues": True,  # a worker may send to queues it does not consume
    "task_default_delivery_mode": "persistent",  # for RabbitMQ; Redis persists by its own append-only file
    # Time: soft limit < hard limit. The lease of a running task does not depend on them.
    "task_soft_time_limit": 270,  # the task may clean up
    "task_time_limit": 300,  # the pool process is killed
    # Format: JSON only; pickle would let a message run code.
    "task_serializer": "json",
    "result_serializer": "json",
    "accept_content": ["json"],
    "enable_utc": True,
    "timezone": "UTC",
    # Results: readable for a day, failures for a week.
    "result_expires": 86_400,
    "result_failure_expires": 7 * 86_400,
    "result_backend_always_retry": True,  # a finished task waits for Redis to come back instead of failing
    "redis_socket_timeout": _SOCKET_SECONDS,
    "redis_socket_connect_timeout": _CONNECT_SECONDS,
    "redis_socket_keepalive": True,
    "redis_retry_on_timeout": True,
    "redis_backend_health_check_interval": 10,
    # Broker connection: never give up, in a worker there is nothing better to do.
    "broker_connection_retry": True,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_channel_error_retry": True,  # a full Redis refuses what a consumer needs to start: try again
    "broker_connection_timeout": _CONNECT_SECONDS,
    "task_publish_retry": True,
    "task_publish_retry_policy": {
        "max_retries": None,  # a task that sends another waits for the broker
        "interval_start": 0.1,
        "interval_step": 0.2,
        "interval_max": 2.0,
    },
    "broker_transport_options": {
        "socket_timeout": _SOCKET_SECONDS,
        "socket_connect_timeout": _CONNECT_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": 10,
    },
    # The worker process.
    "worker_pool": "workerkit.prefork.pool:TaskPool",  # Celery's, whose processes need not wait for each task
    "worker_concurrency": "auto",  # the container's CPU limit, not the machine's cores
    "worker_coroutines": 100,  # of each process of the pool for coroutines; no other pool asks for it
    "worker_max_tasks_per_child": 10_000,  # a slow leak ends with the process
    "worker_max_memory_per_child": 400_000,  # KiB; checked after a task, the container's limit covers the rest
    "worker_soft_shutdown_timeout": 0.0,  # `workerkit.drain` waits instead, and ends as soon as the tasks do
    "worker_hijack_root_logger": False,  # `workerkit.logs` has configured logging
    "worker_redirect_stdouts": False,
    "worker_send_task_events": True,  # Flower shows tasks
    "task_send_sent_event": False,  # one event less per task; the worker's own events tell the rest
    "event_queue_expires": 60.0,  # a closed Flower leaves nothing behind
    # Beat: schedules live in Redis, published by the workers.
    "beat_scheduler": "workerkit.scheduler:Scheduler",
    "beat_max_loop_interval": 2,  # seconds until a changed schedule is seen
    "redbeat_key_prefix": "redbeat:",
    "redbeat_lock_timeout": 10,  # seconds until a second beat takes over from a dead one
    "redbeat_redis_options": {
        "retry_period": 60,
        "socket_timeout": _SOCKET_SECONDS,
        "socket_connect_timeout": _CONNECT_SECONDS,
        "socket_keepalive": True,
    },
}
