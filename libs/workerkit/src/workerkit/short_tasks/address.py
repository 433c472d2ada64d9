"""Where Redis is and what the transport was told, as kombu derives both from an application's settings."""

from dataclasses import dataclass
from typing import Any

from celery.exceptions import ImproperlyConfigured

from workerkit.transport.holder import Options
from workerkit.transport.link import Link, WakeUp
from workerkit.transport.transport import Transport


@dataclass(frozen=True)
class Address:
    """What a process needs to be a holder of its own.

    Args:
        options: of the transport.
        key: tells one Redis from another.
        arguments: of a connection.
        events: the channel on which listeners wait for events of tasks.
    """

    options: Options
    key: tuple[Any, ...]
    arguments: tuple[type[Any], dict[str, Any]]
    events: str

    def connect(self, kind: type[Link] = Link) -> Link:
        """Open a connection of that kind."""
        return kind(*self.arguments)

    def wake_up(self, link: Link) -> WakeUp:
        """Open the connection that tells of new messages for a link."""
        return WakeUp(*self.arguments, link)


def refuse_other_broker(app: Any, pool: str) -> None:
    """Such a pool's processes claim by the Redis transport alone.

    Raises:
        ImproperlyConfigured: the broker is another one.
    """
    if not issubclass(app.connection_for_read().get_transport_cls(), Transport):
        raise ImproperlyConfigured(
            f"{pool} needs Redis as its broker: set TASK_BROKER_URL to a redis:// URL, or leave out worker_pool"
        )


def find(app: Any) -> Address:
    """Ask the application; connects once.

    Raises:
        Exception: the broker is away; kombu's or redis-py's error.
    """
    with app.connection_for_read() as connection:
        channel = connection.channel()  # `default_channel` would try for ever
        client = channel.connection.client
        return Address(
            options=Options(channel.service, channel.lease, channel.delivery_limit, channel.version),
            key=(client.hostname, client.port, client.virtual_host),
            arguments=channel._link_arguments(),
            events=channel._get_publish_topic(app.conf.event_exchange, "task.multi"),
        )
