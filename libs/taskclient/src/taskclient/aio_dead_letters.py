"""Dead letters for asyncio: the calls of `taskclient.dead_letters`, to be awaited."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from taskclient.aio_threads import InThreads, each, each_in_thread, in_thread
from taskclient.dead_letters import EVERYTHING, DeadLetters
from taskclient.dead_scan import LetterFilter
from taskclient.letters import Letter
from taskclient.pace import pauses


class AsyncDeadLetters(InThreads[DeadLetters]):
    """The dead letters of one service, or of all; `AsyncTaskClient.dead_letters()` makes it.

    Arguments and errors are those of `taskclient.dead_letters.DeadLetters`; its iterators are for `async for` here.

    Args:
        letters: whose methods are called in threads.
    """

    def __init__(self, letters: DeadLetters) -> None:
        self._letters = letters

    def _blocking(self) -> DeadLetters:
        return self._letters

    services = in_thread(DeadLetters.services)
    get_dlq_stats = in_thread(DeadLetters.get_dlq_stats)
    list = in_thread(DeadLetters.list)
    count = in_thread(DeadLetters.count)
    show = in_thread(DeadLetters.show)
    replay = in_thread(DeadLetters.replay)
    write_test = in_thread(DeadLetters.write_test)
    discard = in_thread(DeadLetters.discard)
    discard_all = each_in_thread(DeadLetters.discard_all)
    parked = each_in_thread(DeadLetters.parked)
    offer = in_thread(DeadLetters.offer)
    discard_parked = in_thread(DeadLetters.discard_parked)

    async def replay_all(
        self, wanted: LetterFilter = EVERYTHING, *, per_second: float | None = None, to: str | None = None
    ) -> AsyncGenerator[Letter]:
        """Replay all letters that fit, the longest dead first; nothing happens until you iterate.

        Whoever is cancelled may have replayed one letter more than was yielded; the pauses are of the event loop.
        """
        pace = pauses(per_second)
        async with aclosing(each(self._letters._oldest_first(wanted))) as letters:
            async for letter in letters:
                await asyncio.sleep(next(pace))
                if replayed := await asyncio.to_thread(self._letters._replay_if_there, letter, to):
                    yield replayed
