"""What the processors ask of an HTTP client, and the limit on what they take from it."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from app.messages import Answer
from workerkit.errors import PermanentError


class Http(Protocol):
    """Asks HTTP servers."""

    def get(self, url: str, conditions: Mapping[str, str], deadline_seconds: float) -> AbstractContextManager[Answer]:
        """Raises PermanentError or TransientError, on entering or while the body is read."""


def limited(answer: Answer, max_bytes: int, hint: str) -> Iterator[bytes]:
    """The pieces of a body up to a limit; a length that says too much is refused before the first.

    Raises:
        PermanentError: the body is larger; the message ends with `hint`.
    """
    received = 0
    if answer.length is not None and answer.length > max_bytes:
        raise PermanentError(f"the answer has {answer.length:,} bytes, over the limit of {max_bytes:,}: {hint}")
    for chunk in answer.chunks:
        received += len(chunk)
        if received > max_bytes:
            raise PermanentError(f"the answer goes on beyond the limit of {max_bytes:,} bytes: {hint}")
        yield chunk
