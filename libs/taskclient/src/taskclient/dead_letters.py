"""Dead letters for people and programs: count them, read them, replay them, discard them."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from heapq import merge
from itertools import islice

import redis

from taskclient.catalog import read_entry
from taskclient.chords import BUSY
from taskclient.connection import RedisClient, broker_errors
from taskclient.dead_message import DecodedMessage, decode_message, refreshed
from taskclient.dead_moves import CHANGED, MOVED, discard, put_back
from taskclient.dead_pytest import contract_words, write_test
from taskclient.dead_results import failed_with
from taskclient.dead_scan import LetterFilter, parse_letter, scan
from taskclient.dead_stats import ServiceStats, read_stats
from taskclient.errors import LetterNotFound, NotReplayable
from taskclient.letters import SERVICES_KEY, UNREADABLE, Letter, dead_key
from taskclient.pace import pauses
from taskclient.parked import ParkedMessage, discard_parked, offer, parked_messages
from taskclient.results import ResultStore

EVERYTHING = LetterFilter()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter with its message.

    Args:
        letter: what is known about it.
        raw: the message, byte for byte.
        message: the message as far as it can be read.
    """

    letter: Letter
    raw: bytes
    message: DecodedMessage


@dataclass(frozen=True, slots=True)
class LetterPage:
    """Some of the letters, the newest first.

    Args:
        letters: these.
        next: what `list(after=...)` takes to go on; None if there are no more.
    """

    letters: tuple[Letter, ...]
    next: str | None


class DeadLetters:
    """The dead letters of one service, or of all; `TaskClient.dead_letters()` makes it.

    Every method raises `BrokerUnavailable` if Redis cannot be reached or refuses.

    Args:
        client: of the broker's database.
        url: of that database, for errors.
        results: where the workers keep their results.
        service: whose letters; None means those of every service that has ever had a worker.
        publish: where the queues are not in Redis, sends a message to a queue and returns when the broker has it. Then
            replaying is two steps: who dies in between leaves the message in the queue and the letter where it was.
    """

    def __init__(
        self,
        client: RedisClient,
        url: str,
        results: ResultStore,
        service: str | None = None,
        *,
        publish: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self._redis = client
        self._url = url
        self._results = results
        self._service = service
        self._publish = publish

    def services(self) -> tuple[str, ...]:
        """The names of the services whose letters these are."""
        if self._service is not None:
            return (self._service,)
        with self._errors("reading the names of the services"):
            return tuple(sorted(name.decode() for name in self._redis.smembers(SERVICES_KEY)))

    def get_dlq_stats(self) -> tuple[ServiceStats, ...]:
        """The statistics of each service; their price does not depend on the number of letters."""
        services = self.services()
        with self._errors("counting the dead letters"):
            return tuple(read_stats(self._redis, service) for service in services)

    def list(self, wanted: LetterFilter = EVERYTHING, *, limit: int = 50, after: str | None = None) -> LetterPage:
        """One page of letters, the newest first.

        Args:
            wanted: which of them.
            limit: how many at most, 1 or more.
            after: the `next` of the page before.

        Raises:
            ValueError: `limit` is below 1, `after` is not the `next` of a page, or a time has no time zone.
        """
        if limit < 1:
            raise ValueError(f"limit is {limit}, but must be 1 or more.")
        found = self._newest_first(wanted, _place(after))
        letters = [*islice(found, limit + 1)]
        page = letters[:limit]
        return LetterPage(tuple(page), _cursor(page[-1]) if len(letters) > limit else None)

    def count(self, wanted: LetterFilter = EVERYTHING) -> int:
        """How many letters fit; with a filter all of them are read, a page in memory at a time."""
        if wanted == EVERYTHING:
            services = self.services()
            with self._errors("counting the dead letters"):
                return sum(self._redis.zcard(dead_key(service)) for service in services)
        return sum(1 for _ in self._newest_first(wanted, None))

    def show(self, letter_id: str) -> DeadLetter:
        """One letter with its message.

        Raises:
            LetterNotFound: there is none of this id.
            ValueError: more than one service has one; ask for the letters of one service.
        """
        with self._errors(f"reading the dead letter {letter_id}"):
            found = [dead for service in self.services() if (dead := self._read(service, letter_id))]
        if not found:
            raise LetterNotFound(
                f"There is no dead letter {letter_id}. It may have been replayed or discarded; "
                "`tasks dead list` shows those that are there."
            )
        if len(found) > 1:
            services = ", ".join(dead.letter.service for dead in found)
            raise ValueError(f"The services {services} each have a dead letter {letter_id}: say whose you mean.")
        return found[0]

    def replay(self, letter_id: str, *, to: str | None = None) -> Letter:
        """Put a letter's message back into its queue, at the back, and remove the letter, in one step.

        The task keeps its id, its payload and its place in a chain, group or chord. Only its retries begin anew, and
        its `eta` and `expires` are removed, so that it runs now. An unreadable message is put back byte for byte.
        A letter that dies again keeps its first time and its number of attempts.

        Then its stored failure is deleted, and that of the steps after it in its chain, so that they are PENDING until
        they run. Who dies in between, or cannot reach the results, leaves the old failure there until the task runs.
        The body of a failed chord keeps its failure until it runs: others of its header may have failed as well.

        Args:
            letter_id: the letter's id.
            to: another list than the one that the message came from.

        Returns:
            The letter as it was.

        Raises:
            LetterNotFound: there is none of this id, or somebody else was faster.
            NotReplayable: the letter names no list, its list is another kind of key, or its chord is just being ended.
            ValueError: more than one service has one.
        """
        while True:
            dead = self.show(letter_id)
            letter, target = dead.letter, self._target(dead.letter, to)
            self._reopen_chord(dead)
            failures = self._results.failures(failed_with(dead.message))  # before the push: it may fail anew at once
            message = dead.raw if letter.reason == UNREADABLE else refreshed(dead.raw, time.time())
            outcome = self._put_back(letter, dead.raw, message, target)
            if outcome == MOVED:
                self._results.forget_failures(failures)
                return letter
            if outcome != CHANGED:  # a letter that has changed has died once more: read it again
                raise LetterNotFound(
                    f"The dead letter {letter_id} has just been replayed or discarded by somebody else."
                )

    def replay_all(
        self, wanted: LetterFilter = EVERYTHING, *, per_second: float | None = None, to: str | None = None
    ) -> Iterator[Letter]:
        """Replay all letters that fit, the longest dead first; nothing happens until you iterate.

        Those that die (again) after the start are not replayed, so it ends.

        Args:
            wanted: which of them.
            per_second: how many in a second at most; None is as fast as possible.
            to: as for `replay`.

        Yields:
            Each letter when its message is back.

        Raises:
            NotReplayable: as for `replay`; the ones before are back, the rest stays.
            ValueError: `per_second` is not above 0, or a time has no time zone.
        """
        pace = pauses(per_second)
        for letter in self._oldest_first(wanted):
            time.sleep(next(pace))
            if replayed := self._replay_if_there(letter, to):
                yield replayed

    def write_test(self, letter_id: str, *, payload: bool = False) -> str:
        """The text of a pytest file that fails as a letter did, and passes once the cause is mended.

        Args:
            letter_id: the letter's id.
            payload: write the real values; else texts are replaced by placeholders of the same shape, but for those
                that the task's contract lists.

        Raises:
            LetterNotFound: there is none of this id.
            InvalidTaskName: the task's name does not say in which module it is.
            ValueError: neither the message nor the task is at fault, or more than one service has such a letter.
        """
        dead = self.show(letter_id)
        with self._errors("reading the catalog"):
            entry = read_entry(self._redis, dead.letter.task or "")
        keep = contract_words(entry.parameters) if entry else set()
        return write_test(dead.letter, dead.raw, dead.message, payload=payload, keep=keep)

    def discard(self, letter_id: str) -> Letter:
        """Remove a letter and its message for good.

        Returns:
            The letter as it was.

        Raises:
            LetterNotFound: there is none of this id.
            ValueError: more than one service has one.
        """
        letter = self.show(letter_id).letter
        with self._errors(f"discarding the dead letter {letter_id}"):
            discard(self._redis, letter.service, letter_id)
        return letter

    def discard_all(self, wanted: LetterFilter = EVERYTHING) -> Iterator[Letter]:
        """Discard all letters that fit, the longest dead first; nothing happens until you iterate.

        Yields:
            Each letter when it is gone.
        """
        for letter in self._oldest_first(wanted):
            with self._errors(f"discarding the dead letter {letter.id}"):
                removed = discard(self._redis, letter.service, letter.id)
            if removed:
                yield letter

    def parked(self, task: str) -> Iterator[ParkedMessage]:
        """The parked messages of a task that no worker knows, the oldest first; `get_dlq_stats()` has the names."""
        for service in self.services():
            with self._errors(f"reading the parked messages of {task}"):
                yield from parked_messages(self._redis, service, task)

    def offer(self, task: str) -> int:
        """Put all parked messages of a task back into their queues, and say how many there were.

        They come back by themselves when a worker knows the task's name; a worker that does not parks them again.
        """
        services = self.services()
        with self._errors(f"offering the parked messages of {task}"):
            return sum(offer(self._redis, service, task, self._publish) for service in services)

    def discard_parked(self, task: str) -> int:
        """Remove all parked messages of a task for good, and say how many there were."""
        services = self.services()
        with self._errors(f"discarding the parked messages of {task}"):
            return sum(discard_parked(self._redis, service, task) for service in services)

    def _newest_first(self, wanted: LetterFilter, after: tuple[float, str] | None) -> Iterator[Letter]:
        services = self.services()
        with self._errors("reading the dead letters"):
            scans = [scan(self._redis, service, wanted, after=after) for service in services]
            yield from merge(*scans, key=lambda letter: (letter.last, letter.id), reverse=True)

    def _oldest_first(self, wanted: LetterFilter) -> Iterator[Letter]:
        """Those that are there now, by the time of the newest: the clocks of workers and callers may differ."""
        newest = max((stats.newest or 0.0 for stats in self.get_dlq_stats()), default=0.0)
        services = self.services()
        scans = [self._scan_oldest(service, wanted) for service in services]
        seen: set[tuple[str, str]] = set()
        for letter in merge(*scans, key=lambda letter: (letter.last, letter.id)):
            if letter.last > newest:
                return
            if (letter.service, letter.id) not in seen:
                seen.add((letter.service, letter.id))
                yield letter

    def _scan_oldest(self, service: str, wanted: LetterFilter) -> Iterator[Letter]:
        with self._errors("reading the dead letters"):
            yield from scan(self._redis, service, wanted, newest_first=False)

    def _read(self, service: str, letter_id: str) -> DeadLetter | None:
        key = dead_key(service)
        pipe = self._redis.pipeline(transaction=True)
        pipe.hget(f"{key}:letters", letter_id)
        pipe.hget(f"{key}:raw", letter_id)
        pipe.zscore(key, letter_id)
        text, raw, last = pipe.execute()
        if text is None or raw is None:
            return None
        return DeadLetter(parse_letter(service, letter_id, text, last or 0.0), raw, decode_message(raw))

    def _target(self, letter: Letter, to: str | None) -> str:
        if not (to or letter.list):
            raise NotReplayable(f"The dead letter {letter.id} does not say which list it came from: name one.")
        return to or letter.list

    def _replay_if_there(self, letter: Letter, to: str | None) -> Letter | None:
        try:
            return self._of(letter.service).replay(letter.id, to=to)
        except LetterNotFound:  # somebody else was faster
            return None

    def _reopen_chord(self, dead: DeadLetter) -> None:
        """Before the push: a crash in between leaves a chord that waits, and a letter that can be replayed."""
        if dead.message.embed.get("chord") and self._results.reopen_chord(dead.message.headers) == BUSY:
            raise NotReplayable(
                f"A worker is just ending the chord of the dead letter {dead.letter.id}. Try again in ten seconds."
            )

    def _put_back(self, letter: Letter, raw: bytes, message: bytes, target: str) -> int:
        with self._errors(f"replaying the dead letter {letter.id}"):
            if self._publish is not None:
                self._publish(target, message)
                return put_back(self._redis, letter.service, letter.id, raw, message, None) and MOVED
            try:
                return put_back(self._redis, letter.service, letter.id, raw, message, target)
            except redis.ResponseError as error:
                if "WRONGTYPE" not in str(error):
                    raise
                raise NotReplayable(f"{target!r} is no list in Redis: name another one for {letter.id}.") from error

    def _of(self, service: str) -> "DeadLetters":
        return DeadLetters(self._redis, self._url, self._results, service, publish=self._publish)

    def _errors(self, doing: str) -> AbstractContextManager[None]:
        return broker_errors(self._url, doing)


def _cursor(letter: Letter) -> str:
    return f"{letter.last!r}:{letter.id}"


def _place(cursor: str | None) -> tuple[float, str] | None:
    if cursor is None:
        return None
    last, separator, letter_id = cursor.partition(":")
    try:
        if separator:
            return float(last), letter_id
    except ValueError:
        pass
    raise ValueError(f"{cursor!r} is not the `next` of a page.")
