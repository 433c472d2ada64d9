"""A claimed message as Celery's request and this library's verdicts expect one, without a channel behind it."""

from typing import Any

from celery.app.task import Context
from celery.worker import strategy

from taskclient.letters import FAILED
from workerkit.transport import guard
from workerkit.transport.channel import Channel
from workerkit.transport.holder import Held, Holder

_strategy: Any = strategy  # the stubs leave out the parts that are not public
# What Celery's request knows by itself; all else in a message is its sender's own headers. As `Context` has it, which
# takes a new copy of all these names for each task.
_KNOWN = {*vars(Context), "lang", "task", "argsrepr", "kwargsrepr", "compression"}


class _Books:
    def __init__(self, holder: Holder) -> None:
        self.holder = holder


class HeldChannel(Channel):
    """Names the holder, which is all that `workerkit.verdicts` asks of a channel; it is connected to nothing."""

    def __init__(self, holder: Holder) -> None:
        self.books = _Books(holder)

    @property
    def qos(self) -> Any:
        """Where verdicts find the holder."""
        return self.books


class Delivered:
    """A message that was read, with its decoded body; Celery's `Request` takes it for kombu's message.

    Args:
        channel: of the holder that claimed it.
        tag: by which the holder knows it.
        held: its bytes.

    Raises:
        Unreadable: it is no valid message.
    """

    content_type = "application/json"
    content_encoding = "utf-8"

    def __init__(self, channel: HeldChannel, tag: str, held: Held) -> None:
        message = guard.read(held.raw)
        content = message["content"]
        self.due = guard.start_time(message)
        self.channel, self.delivery_tag = channel, tag
        self.headers: dict[str, Any] = message["headers"]
        self.properties: dict[str, Any] = message["properties"]
        self.delivery_info = {**self.properties["delivery_info"], "redelivered": held.crashes > 0}
        self.utc = True
        if "task" not in self.headers:
            content, self.headers, _, self.utc = _strategy.proto1_to_proto2(self, content)
        self.body: tuple[Any, Any, Any] = content

    def request(self, task: Any, kind: Any, **about: Any) -> Any:
        """Celery's request for it; `kind` is its class."""
        return kind(
            self,
            on_ack=self._ack,
            on_reject=self._reject,
            task=task,
            body=self.body,
            headers=self.headers,
            decoded=True,
            utc=self.utc,
            **about,
        )

    def run_with(self, hostname: str) -> dict[str, Any]:
        """What the tracer is given beside the arguments: the same as `Request` would, which costs more to make."""
        properties, info = self.properties, self.delivery_info
        args, kwargs, embed = self.body
        known = {
            **self.headers,
            "properties": properties,
            "reply_to": properties.get("reply_to"),
            "correlation_id": properties.get("correlation_id"),
            "hostname": hostname,
            "delivery_info": {
                "exchange": info["exchange"],
                "routing_key": info["routing_key"],
                "priority": properties.get("priority"),
                "redelivered": info["redelivered"],
            },
            "args": args,
            "kwargs": kwargs,
            "is_eager": False,
            **(embed or {}),
        }
        own = known.keys() - _KNOWN
        if own and known.get("headers") is None:
            known["headers"] = {name: known[name] for name in own}
        return known

    def _ack(self, *_: Any) -> None:
        self.channel.books.holder.ack(self.delivery_tag)

    def _reject(self, _log: Any, _errors: Any, requeue: bool) -> None:
        holder = self.channel.books.holder
        if requeue:
            holder.decide("crash", self.delivery_tag)
        else:
            holder.bury(self.delivery_tag, FAILED, "rejected without being put back")
