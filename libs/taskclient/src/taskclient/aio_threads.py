"""Makes coroutines of methods that wait for Redis, by a thread for each call."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

BlockingT_co = TypeVar("BlockingT_co", covariant=True)
BlockingT = TypeVar("BlockingT")
AnswerT = TypeVar("AnswerT")
P = ParamSpec("P")


class InThreads(ABC, Generic[BlockingT_co]):
    """The asyncio form of a class whose methods block: each call runs there, in a thread.

    A coroutine that is cancelled stops waiting; what it has begun comes to its end in its thread.
    """

    @abstractmethod
    def _blocking(self) -> BlockingT_co:
        """The object whose methods are called."""


def in_thread(
    method: Callable[Concatenate[BlockingT, P], AnswerT],
) -> Callable[Concatenate[InThreads[BlockingT], P], Coroutine[Any, Any, AnswerT]]:
    """The same method, to be awaited."""

    @wraps(method)
    async def call(self: InThreads[BlockingT], /, *args: P.args, **kwargs: P.kwargs) -> AnswerT:
        return await asyncio.to_thread(method, self._blocking(), *args, **kwargs)

    return call


def each_in_thread(
    method: Callable[Concatenate[BlockingT, P], Iterator[AnswerT]],
) -> Callable[Concatenate[InThreads[BlockingT], P], AsyncGenerator[AnswerT]]:
    """The same method, which gives its items one by one to an `async for`."""

    @wraps(method)
    def call(self: InThreads[BlockingT], /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[AnswerT]:
        return each(method(self._blocking(), *args, **kwargs))

    return call


async def each(items: Iterator[AnswerT]) -> AsyncGenerator[AnswerT]:
    """The items of an iterator that blocks; whoever stops early has at most begun the next one."""
    end: Any = object()
    while (item := await asyncio.to_thread(next, items, end)) is not end:
        yield item
