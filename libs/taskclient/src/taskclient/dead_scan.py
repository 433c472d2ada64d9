"""Reads a service's dead letters in the order of their time, a few hundred at once, while others come and go."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import islice
from typing import TypeAlias

from pydantic import ValidationError

from taskclient.connection import RedisClient
from taskclient.letters import Letter, dead_key

PAGE = 200  # letters in one answer; each may hold a traceback of some kilobytes

Place: TypeAlias = tuple[float, str]  # a letter's time and id, which is the order of the sorted set


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which letters are meant; what is None does not matter.

    Args:
        task: the task's name, `*` stands for any part of it, as in `app.tasks.email.*`.
        reason: one of the words in `taskclient.letters`.
        since: died at this time or later, with a time zone.
        until: died at this time or earlier, with a time zone.
        error: a part of the error's line, in capitals or not.
    """

    task: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    error: str | None = None

    def fits(self, letter: Letter) -> bool:
        """Say whether a letter is meant, its time aside."""
        return (
            (self.task is None or fnmatchcase(letter.task or "", self.task))
            and (self.reason is None or letter.reason == self.reason)
            and (self.error is None or self.error.casefold() in letter.error.casefold())
        )

    @property
    def bounds(self) -> tuple[float, float]:
        """The earliest and the latest time in seconds since 1970.

        Raises:
            ValueError: a time has no time zone.
        """
        return _seconds(self.since, "since", float("-inf")), _seconds(self.until, "until", float("inf"))


def scan(
    client: RedisClient, service: str, wanted: LetterFilter, *, newest_first: bool = True, after: Place | None = None
) -> Iterator[Letter]:
    """All letters of a service that fit, one page in memory at a time.

    A letter that is removed meanwhile may be missing; none comes twice unless it dies again.

    Args:
        client: of the broker's database.
        service: whose letters.
        wanted: which of them.
        newest_first: else the oldest come first.
        after: go on after this place in that order.
    """
    places = _places(client, dead_key(service), wanted.bounds, newest_first=newest_first, after=after)
    while page := list(islice(places, PAGE)):
        stored = client.hmget(f"{dead_key(service)}:letters", [letter_id for _, letter_id in page])
        for (last, letter_id), text in zip(page, stored, strict=True):
            if text is not None and wanted.fits(letter := parse_letter(service, letter_id, text, last)):
                yield letter


def parse_letter(service: str, letter_id: str, text: bytes, last: float) -> Letter:
    """The letter of a stored record; a record that cannot be read gives one that says so.

    Args:
        service: whose letter.
        letter_id: its id.
        text: the record.
        last: the time by which it is sorted, which is more exact than the record's.
    """
    try:
        letter = Letter.model_validate_json(text)
    except ValidationError:
        letter = Letter(id=letter_id, reason="unknown", error="The record of this letter cannot be read.")
    return letter.model_copy(update={"id": letter_id, "service": service, "last": last})


def _places(
    client: RedisClient, key: str, bounds: tuple[float, float], *, newest_first: bool, after: Place | None
) -> Iterator[Place]:
    """All places within the bounds; the rank is asked anew for each page, because letters come and go."""
    earliest, latest = bounds
    done = after
    rank = _rank_after(client, key, after, newest_first) if after else _first_rank(client, key, bounds, newest_first)
    while entries := client.zrange(key, rank, rank + PAGE - 1, desc=newest_first, withscores=True):
        for raw_id, score in entries:
            place = (score, raw_id.decode())
            if (score < earliest) if newest_first else (score > latest):
                return
            if earliest <= score <= latest and (done is None or (place < done if newest_first else place > done)):
                done = place
                yield place
        rank = _rank_after(client, key, place, newest_first)


def _first_rank(client: RedisClient, key: str, bounds: tuple[float, float], newest_first: bool) -> int:
    earliest, latest = bounds
    limits = (f"({latest!r}", "+inf") if newest_first else ("-inf", f"({earliest!r}")
    return int(client.zcount(key, *limits))


def _rank_after(client: RedisClient, key: str, place: Place, newest_first: bool) -> int:
    """The rank of the next letter; where the letter has left its place, that of the first one of the same time."""
    last, letter_id = place
    pipe = client.pipeline(transaction=True)
    pipe.zscore(key, letter_id)
    pipe.zrevrank(key, letter_id) if newest_first else pipe.zrank(key, letter_id)
    pipe.zcount(key, *((f"({last!r}", "+inf") if newest_first else ("-inf", f"({last!r}")))
    score, rank, beyond = pipe.execute()
    return int(rank) + 1 if score == last else int(beyond)


def _seconds(moment: datetime | None, name: str, default: float) -> float:
    if moment is None:
        return default
    if moment.utcoffset() is None:
        raise ValueError(f"{name} is {moment.isoformat()}, without a time zone: say which, as in 2030-01-01T12:00Z.")
    return moment.timestamp()
