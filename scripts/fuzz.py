"""Sends messages that nobody would send to real workers, and looks for one that hurts a worker or gets lost.

Real messages, of Celery and of the task client, are mutated at every level. Good tasks run in between. Whatever exits,
stalls or is not found again is written to a file that `--replay` sends once more.
"""

import argparse
import base64
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random, SystemRandom

from devstack.malformed.ledger import MISSING, PRIORITIES, twice
from devstack.malformed.message import QUEUE
from devstack.malformed.mutate import Mutator, renewed
from devstack.malformed.trial import CHANNEL, POOLS, Trial

ANSWER_SECONDS = 60.0  # a good task that has not started by then: a stall
SETTLE_SECONDS = 600.0  # a message of 700 KB may be a chain of 500 chords, which takes minutes; others run in between
_PROBES = 20  # good tasks in each batch


class Source:
    """Real messages, and mutations of them; one seed makes one sequence.

    Args:
        real: raw messages by what they are.
        seed: of all chance.
    """

    def __init__(self, real: dict[str, bytes], seed: int) -> None:
        self._real = list(real.values())
        self._broadcast = real["broadcast"]
        self._random = Random(seed)  # noqa: S311  - no secret
        self._mutator = Mutator(self._random, self._one)

    def batch(self, size: int) -> list[tuple[str, bytes]]:
        """Mutated messages, each with the list to push it to; a few more for remote control."""
        found = [(self._list(), self._mutator.mutate(self._one())) for _ in range(size)]
        spoken = [(CHANNEL, self._mutator.mutate(renewed(self._broadcast, self._random))) for _ in range(size // 20)]
        mixed = found + spoken
        self._random.shuffle(mixed)
        return mixed

    def _one(self) -> bytes:
        return renewed(self._random.choice(self._real), self._random)

    def _list(self) -> str:
        return QUEUE + self._random.choices(PRIORITIES, weights=(7, 1, 1, 1))[0]


class Fuzzer:
    """Sends batches to one worker and accounts for each message.

    Args:
        trial: the worker.
        source: the messages.
        failures: a folder for the messages that fail.
    """

    def __init__(self, trial: Trial, source: Source, failures: Path) -> None:
        self.trial = trial
        self.places: Counter[str] = Counter()
        self.failed: list[str] = []
        self.peak_mib = 0.0
        self._source = source
        self._failures = failures
        self._held: list[bytes] = []  # delayed or parked: they must be there in the end, or have run

    def run(self, size: int) -> None:
        """Send one batch, wait for it, account for it."""
        batch = self._source.batch(size)
        if wounds := self._hurt(batch):
            self._find(batch, wounds)
            return
        places = self.trial.ledger.places()
        for queue, raw in [one for one in batch if one[0] != CHANNEL]:
            place = places.of(raw)
            self.places[place] += 1
            if place in {MISSING, "in_flight", "queued"}:
                self._fail(place, [(queue, raw)], [])
            if place in {"delayed", "parked"}:
                self._held.append(raw)
        # One that has become due, and a dead letter, is accounted for now: its letter is forgotten below.
        self._held = [
            raw for raw in self._held if places.of(raw) in {MISSING, "in_flight", "queued", "delayed", "parked"}
        ]
        self.peak_mib = max(self.peak_mib, self.trial.peak_mib())
        self.trial.ledger.forget_letters()

    def finish(self) -> None:
        """Look once more at what was delayed or parked."""
        places = self.trial.ledger.places()
        for raw in self._held:
            if places.of(raw) == MISSING:
                self._fail("missing after it was held", [(QUEUE, raw)], [])

    def _hurt(self, batch: Sequence[tuple[str, bytes]]) -> list[str]:
        """Push messages among good tasks; gives what they did to the worker."""
        trial, probes = self.trial, []
        step = max(1, len(batch) // _PROBES)
        for start in range(0, len(batch), step):
            for queue in dict.fromkeys(queue for queue, _ in batch[start : start + step]):
                trial.push([raw for other, raw in batch[start : start + step] if other == queue], queue)
            probes += trial.push_good()
        wounds = [] if trial.has_run(probes, ANSWER_SECONDS) else ["a good task did not start"]
        wounds += [] if trial.settles(SETTLE_SECONDS) else [f"not worked off: {_left(trial)}"]
        wounds += [] if trial.answers(ANSWER_SECONDS) else ["a slot of the pool is no longer free"]
        again = twice(trial.ledger.places(), probes)
        return wounds + trial.wounds() + [f"good tasks ran twice: {again}" for _ in again]

    def _find(self, batch: Sequence[tuple[str, bytes]], wounds: list[str]) -> None:
        """Send the messages of a batch one by one to new workers, to find those that hurt by themselves."""
        print(f"[{self.trial.pool}] a batch hurts: {wounds[:3]}; looking for the message", flush=True)
        log = self.trial.log()
        guilty = 0
        self._again()
        for one in batch:
            if found := self._hurt_alone(one):
                guilty += 1
                self._fail("hurts", [one], [*found, *self.trial.log()[-40:]])
                self._again()
        if not guilty:
            self._fail("hurts together", batch, [*wounds, *log[-80:]])

    def _hurt_alone(self, one: tuple[str, bytes]) -> list[str]:
        self.trial.push([one[1]], one[0])
        answers = self.trial.answers(15) and self.trial.settles(SETTLE_SECONDS)
        return ([] if answers else ["no good task ran after it, or it stayed"]) + self.trial.wounds()

    def _again(self) -> None:
        self._held.clear()
        self.trial.begin_again()

    def _fail(self, what: str, messages: Sequence[tuple[str, bytes]], lines: Sequence[str]) -> None:
        self.failed.append(what)
        file = self._failures / f"{self.trial.pool}-{len(self.failed)}-{what.replace(' ', '-')}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        found = [
            {"list": queue, "raw": base64.b64encode(raw).decode(), "text": repr(raw[:2_000])} for queue, raw in messages
        ]
        file.write_text(
            json.dumps({"what": what, "pool": self.trial.pool, "log": list(lines), "messages": found}, indent=1)
        )
        print(f"[{self.trial.pool}] {what}: {file}", flush=True)


def _left(trial: Trial) -> str:
    places = trial.ledger.places()
    return f"{sum(places.queued.values())} queued, {sum(places.in_flight.values())} in flight"


def main() -> int:
    """Fuzz for some minutes, or replay a file; 1 if anything failed."""
    options = _options()
    seed = options.seed if options.seed is not None else SystemRandom().randrange(2**32)
    pools = [options.pool] if options.pool else list(POOLS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fuzz-")))
        trials = [stack.enter_context(Trial(folder / pool, pool)) for pool in pools]
        if options.replay:
            return max(_replay(trial, options.replay) for trial in trials)
        source = Source(_real(folder), seed)
        print(f"seed {seed}, {options.minutes:g} minutes, failures go to {options.failures}", flush=True)
        fuzzers = [Fuzzer(trial, source, options.failures) for trial in trials]
        for number in _until(time.monotonic() + options.minutes * 60):
            for fuzzer in fuzzers:
                fuzzer.run(options.batch)
            print(f"{number * options.batch * len(fuzzers):,} messages: {_summary(fuzzers)}", flush=True)
        for fuzzer in fuzzers:
            fuzzer.finish()
            print(f"[{fuzzer.trial.pool}] {_summary([fuzzer])}; at most {fuzzer.peak_mib:.0f} MiB", flush=True)
    return 1 if any(fuzzer.failed for fuzzer in fuzzers) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default: 10)")
    parser.add_argument("--seed", type=int, help="makes the same messages again (default: a new one)")
    parser.add_argument("--batch", type=int, default=200, help="messages sent at once to each worker (default: 200)")
    parser.add_argument("--pool", choices=list(POOLS), help="one pool alone (default: both)")
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"), help="folder for what fails")
    parser.add_argument("--replay", type=Path, help="send the messages of such a file once more")
    return parser.parse_args()


def _until(end: float) -> Iterator[int]:
    number = 0
    while time.monotonic() < end:
        number += 1
        yield number


def _real(folder: Path) -> dict[str, bytes]:
    argv = [sys.executable, "-m", "devstack.malformed.capture", str(folder / "capture")]
    output = subprocess.run(argv, capture_output=True, check=True).stdout
    return {kind: base64.b64decode(text) for kind, text in json.loads(output).items()}


def _summary(fuzzers: Sequence[Fuzzer]) -> str:
    places = sum((fuzzer.places for fuzzer in fuzzers), Counter[str]())
    failed = Counter(what for fuzzer in fuzzers for what in fuzzer.failed)
    found = ", ".join(f"{count:,} {place}" for place, count in places.most_common())
    return f"{found}; failures: {dict(failed) or 'none'}"


def _replay(trial: Trial, file: Path) -> int:
    messages = [(found["list"], base64.b64decode(found["raw"])) for found in json.loads(file.read_text())["messages"]]
    for queue, raw in messages:
        trial.push([raw], queue)
    answers = trial.answers(ANSWER_SECONDS) and trial.settles(SETTLE_SECONDS)
    wounds = trial.wounds() if answers else ["no good task ran, or something is left", *trial.wounds()]
    places = trial.ledger.places() if trial.worker.alive() else None
    found = Counter(places.of(raw) for queue, raw in messages if queue != CHANNEL) if places else Counter()
    print("\n".join(trial.log()[-60:]))
    print(f"[{trial.pool}] {dict(found)}; {wounds or 'the worker is as it was'}")
    return 1 if wounds or found[MISSING] else 0


if __name__ == "__main__":
    raise SystemExit(main())
