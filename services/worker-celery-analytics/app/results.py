"""What the tasks return: statistics that were refreshed, and how well a filter foretold."""

from datetime import date
from uuid import UUID

from pydantic import BaseModel, ConfigDict, computed_field

from datastore.jobs import JobState


class StatsReport(BaseModel):
    """What was computed: `rows` of statistics, of which `changed` are new or have other numbers than before.

    `removed` rows belonged to groups that have no flights any more. `last_day` is the last day with flights, None if
    there is none; `seconds` is how long it took.
    """

    model_config = ConfigDict(frozen=True)

    days: int
    rows: int
    flights: int
    changed: int
    removed: int
    last_day: date | None
    seconds: float


class Score(BaseModel):
    """How often a filter was right: `hits` were picked and late, `false_alarms` picked and not, `misses` only late."""

    model_config = ConfigDict(frozen=True)

    hits: int
    misses: int
    false_alarms: int

    @computed_field
    def precision(self) -> float | None:
        """The share of the picked flights that were late; None if none was picked."""
        return _share(self.hits, self.hits + self.false_alarms)

    @computed_field
    def recall(self) -> float | None:
        """The share of the late flights that were picked; None if none was late."""
        return _share(self.hits, self.hits + self.misses)


class MonthScore(Score):
    """The score of one month, which is named by its first day."""

    month: date


class BacktestReport(BaseModel):
    """A backtest's end: `months` has all that were computed, also by earlier attempts, and `overall` their sum.

    `state` is `succeeded`, or `cancelled` with the months until then. `resumed_at` is how many months earlier attempts
    had done, `seconds` how long this one took.
    """

    model_config = ConfigDict(frozen=True)

    job_id: UUID
    filter_id: UUID
    state: JobState
    months: list[MonthScore]
    overall: Score
    resumed_at: int
    seconds: float


class BacktestState(BaseModel):
    """Where a backtest's job is."""

    model_config = ConfigDict(frozen=True)

    job_id: UUID
    state: JobState


def total(scores: list[MonthScore]) -> Score:
    """The score of several months together."""
    return Score(
        hits=sum(score.hits for score in scores),
        misses=sum(score.misses for score in scores),
        false_alarms=sum(score.false_alarms for score in scores),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
