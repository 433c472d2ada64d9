"""The app factory: one call makes a service's Celery application."""

import atexit
import importlib.util
import os
import pkgutil
from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

from celery import Celery, signals
from celery.utils.nodenames import NODENAME_DEFAULT
from celery.worker import state
from kombu import Queue

from taskclient.urls import is_amqp
from workerkit import amqp, bootsteps, celery_settings, drain, failures, logs, memory, task_logs
from workerkit.catalog import Catalog
from workerkit.defaults import DEFAULTS
from workerkit.health import path as health_path
from workerkit.health_file import Health
from workerkit.routing import route_by_name
from workerkit.settings import WorkerSettings
from workerkit.startup import steps as startup
from workerkit.task import WorkerTask
from workerkit.transport import registry


class OutrankedBroker(RuntimeError):
    """Celery's command line was given a broker, which would outrank the settings without a word."""


def create_app(
    service: str, settings: WorkerSettings, celeryconfig: ModuleType, *, tasks_package: str = "app.tasks"
) -> "Celery[Any]":
    """Make the Celery application of a service.

    Settings come from one dictionary: the defaults, then what follows from `service` and `settings`, then the
    service's `celeryconfig`, then `CELERYCONFIG_*` variables of the environment. The worker consumes the queues that
    its `task_routes` name, and imports every module of `tasks_package`.

    Args:
        service: the purpose, such as "email"; names log lines, Redis keys and schedule entries.
        settings: where the broker is, how to log.
        celeryconfig: the service's own module; holds only what is this service's own.
        tasks_package: dotted name of the package with the task modules; it need not exist.

    Returns:
        The application, configured; nothing is connected yet.

    Raises:
        UnknownSetting: a setting's name is misspelt.
        OutrankedBroker: Celery would connect to another broker than `settings` says.
    """
    _refuse_other_broker()
    own = celery_settings.from_module(celeryconfig)
    conf = celery_settings.merge(
        ("workerkit.defaults", DEFAULTS),
        ("workerkit.app", _derived(service, settings, own, tasks_package)),
        (celeryconfig.__name__, own),
        ("environment", celery_settings.from_environment(os.environ)),
    )
    conf["task_routes"] = [own.get("task_routes", {}), route_by_name]
    application = amqp.application(settings.broker())
    app: Celery[Any] = application(service, task_cls=WorkerTask, events="workerkit.events:Events")
    app.loader.override_backends = dict.fromkeys(("redis", "rediss"), "workerkit.result_backend:ResultBackend")
    app.conf.update(conf)
    logs.configure(service, level=settings.log_level, fmt=settings.log_format)
    task_logs.connect(arguments=settings.log_arguments, sample=settings.log_sample)
    _add_steps(app, service, settings)
    return app


def _refuse_other_broker() -> None:
    # `celery --broker` also reads the variable BROKER_URL; both end in this one, with or without the password.
    if os.environ.get("CELERY_BROKER_URL"):
        raise OutrankedBroker("set TASK_BROKER_URL instead of BROKER_URL, CELERY_BROKER_URL or celery --broker")


def _derived(service: str, settings: WorkerSettings, own: Mapping[str, Any], tasks_package: str) -> dict[str, Any]:
    queues = _queues(own.get("task_routes", {})) or [service]
    derived = {
        "broker_url": settings.broker(),
        "broker_transport": "workerkit.transport.transport:Transport",
        "result_backend": settings.results(),
        **_redbeat(settings.redis()),
        "task_queues": [Queue(name) for name in queues],
        "task_default_queue": queues[0],
        "imports": _modules(tasks_package),
        "broker_transport_options": {
            "service": service,  # keys of its own: what one service holds, no other can take over
            "lease": settings.task_lease_seconds,
            "delivery_limit": settings.task_delivery_limit,
            "version": settings.version,
            "client_name": service,
        },
    }
    if is_amqp(settings.broker()):
        limit, version = settings.task_delivery_limit, settings.version
        derived |= amqp.settings(queues, service=service, delivery_limit=limit, version=version)
    return derived


def _redbeat(redis: str) -> dict[str, Any]:
    # The password apart from the URL: Celery hides a setting by its name when Flower or `inspect` shows it.
    parts = urlsplit(redis)
    credentials, _, host = parts.netloc.rpartition("@")
    user = credentials.partition(":")[0]
    return {
        "redbeat_redis_url": parts._replace(netloc=f"{user}@{host}" if user else host).geturl(),
        "redbeat_redis_options": {"password": unquote(parts.password)} if parts.password else {},
    }


def _queues(routes: Mapping[str, Any]) -> list[str]:
    names = [route if isinstance(route, str) else route["queue"] for route in routes.values()]
    return list(dict.fromkeys(names))


def _modules(package: str) -> tuple[str, ...]:
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        return ()
    paths = spec.submodule_search_locations if spec else None
    return tuple(f"{package}.{module.name}" for module in pkgutil.iter_modules(paths)) if paths else ()


def _add_steps(app: "Celery[Any]", service: str, settings: WorkerSettings) -> None:
    health = Health(health_path())
    draining = drain.Drain(settings.task_drain_seconds, health)
    app.steps["worker"].add(drain.step(draining))
    app.catalog = Catalog(app, service, settings)  # type: ignore[attr-defined]  # where `workerkit.contracts` finds it
    app.steps["consumer"].add(bootsteps.connection_step(app.catalog, health, draining))  # type: ignore[attr-defined]
    startup.add(app, settings)

    def on_worker_start(instance: Any, **_: Any) -> None:
        # Only a worker's main process sends this signal: not its children, not beat, not `celery inspect`.
        health.start()
        registry.hooks.on_condemned = partial(failures.report, app)
        registry.hooks.knows = app.tasks.__contains__
        registry.hooks.on_cancelled = state.revoked.update
        registry.hooks.on_letters = failures.LettersWatch(service).look
        atexit.register(registry.leave)  # Celery has no signal for the end of a cold shutdown
        instance.quiet = not logs.is_readable(settings.log_format)  # the banner is for people
        name, _, host = instance.hostname.partition("@")
        if name == NODENAME_DEFAULT:  # without --hostname; two services on one host need two names
            instance.hostname = f"{service}@{host}"

    signals.celeryd_init.connect(on_worker_start, weak=False, dispatch_uid="workerkit.app")
    signals.worker_before_create_process.connect(memory.share, dispatch_uid="workerkit.app")
