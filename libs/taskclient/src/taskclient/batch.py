"""Many messages of one task at once: all of them are built before the first one is sent."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from taskclient.errors import (
    BatchInterrupted,
    BatchRefused,
    BrokerUnavailable,
    FieldError,
    PayloadNotSerializable,
    PayloadRefused,
    PayloadTooLarge,
)
from taskclient.ids import new_id
from taskclient.message import Template


def build_batch(
    template: Template,
    payloads: Iterable[Mapping[str, Any]],
    task_ids: Sequence[str] | None,
    correlation_id: str | None,
    idempotency_keys: Sequence[str] | None = None,
) -> dict[str, bytes]:
    """The messages by their tasks' ids, in the order of the payloads.

    Raises:
        BatchRefused: payloads that cannot be sent, with their positions.
        ValueError: another number of ids or keys than of payloads, the same id twice, or a wrong idempotency key.
    """
    listed = list(payloads)
    ids = [new_id() for _ in listed] if task_ids is None else list(task_ids)
    if len(ids) != len(listed) or len(set(ids)) != len(ids):
        raise ValueError(f"{len(ids)} task ids, {len(set(ids))} of them different, for {len(listed)} payloads.")
    keys = [None] * len(listed) if idempotency_keys is None else list(idempotency_keys)
    if len(keys) != len(listed):
        raise ValueError(f"{len(keys)} idempotency keys for {len(listed)} payloads.")
    messages: dict[str, bytes] = {}
    errors: dict[int, list[FieldError]] = {}
    for number, (task_id, payload, key) in enumerate(zip(ids, listed, keys, strict=True)):
        try:
            messages[task_id] = template.message(
                payload, task_id=task_id, correlation_id=correlation_id, idempotency_key=key
            )
        except (PayloadRefused, PayloadNotSerializable, PayloadTooLarge) as error:
            errors[number] = error.errors
    if errors:
        raise BatchRefused(errors)
    return messages


def push_batch(push: Callable[..., None], messages: Mapping[str, bytes], at_once: int) -> None:
    """Push messages, `at_once` in each round trip.

    Args:
        push: pushes all that it is given or none.
        messages: by their tasks' ids.
        at_once: how many in one call.

    Raises:
        BatchInterrupted: `push` failed; says what had been sent.
    """
    ids = list(messages)
    for sent in range(0, len(ids), at_once):
        try:
            push(*(messages[task_id] for task_id in ids[sent : sent + at_once]))
        except BrokerUnavailable as error:
            raise BatchInterrupted(str(error), ids[:sent], ids[sent:]) from error
