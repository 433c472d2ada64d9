"""Loads a file into its table: all of its good rows at once, or nothing; goes on where a killed run was."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol
from uuid import UUID, uuid5

from sqlalchemy import Table

from app.messages import EtlReport, Reference
from app.processors.schema import schema_of
from app.processors.validator import Validator
from app.rows import Batch, Checked, Reader, Rejected
from workerkit.errors import PermanentError

_JOBS = UUID("5f9f1f6e-8a0c-4d0e-9d7e-0d0c6f6c6574")  # the namespace of the ids of jobs
_JUDGED_EARLY = 100_000  # rows; a file of nothing but broken rows is given up then
Opener = Callable[[Reference], AbstractContextManager[Reader]]
Report = Callable[[float, float, str], None]


class Job(Protocol):
    """A job whose lock is held; see `app.adapters.jobs.LoadJob`."""

    id: UUID
    position: int
    staged: int
    rejected: int
    finished: Callable[[], Any]
    is_latest: Callable[[], bool]
    begin: Callable[[], None]
    add: Callable[[Checked], None]
    count_duplicates: Callable[[], int]
    duplicates: Callable[[int, int], Any]
    reject_staged: Callable[[list[Rejected]], None]
    publish: Callable[[], AbstractContextManager[Any]]
    fail: Callable[[str], None]


Jobs = Callable[[UUID, Reference, Table], AbstractContextManager[Any]]


def job_id_of(reference: Reference) -> UUID:
    """The id of the job of a file: the same for the same content of the same dataset."""
    return uuid5(_JOBS, f"{reference.source}:{reference.sha256}")


class EtlProcessor:
    """Loads files.

    Args:
        open_source: opens a file with the reader for its format.
        jobs: opens a job by its id, alone.
        batch_rows: rows to commit at a time.
        max_rejected_share: the share of rejected rows above which a job fails.
    """

    def __init__(self, open_source: Opener, jobs: Jobs, *, batch_rows: int, max_rejected_share: float) -> None:
        self._open, self._jobs, self._batch_rows, self._share = open_source, jobs, batch_rows, max_rejected_share

    def process(self, reference: Reference, report: Report) -> EtlReport:
        """Load a file under the id that follows from its content.

        A file that is loaded already is not loaded again, unless another file of the dataset was loaded after it.

        Args:
            reference: the file.
            report: gets how far the job is: current, total, and what it does.

        Raises:
            PermanentError: the file is not what it should be; the job has failed and the table is untouched.
            TransientError: storage or database are away, or another run has the job.
        """
        return self._run(job_id_of(reference), reference, report, again=True)

    def run(self, job_id: UUID, reference: Reference, report: Report) -> EtlReport:
        """Load a file under an id of the caller's; a job that has succeeded only gives its report again.

        Arguments and errors are those of `process`.
        """
        return self._run(job_id, reference, report, again=False)

    def _run(self, job_id: UUID, reference: Reference, report: Report, *, again: bool) -> EtlReport:
        schema = schema_of(reference.source)
        with self._jobs(job_id, reference, schema.table) as job:
            done = job.finished()
            if done is not None and (not again or job.is_latest()):
                return EtlReport.model_validate(done)
            try:
                return _Run(job, self._batch_rows, self._share, report).load(self._open, reference)
            except PermanentError as error:
                job.fail(str(error))
                raise


class _Run:
    """One run of a job."""

    def __init__(self, job: Job, batch_rows: int, max_rejected_share: float, report: Report) -> None:
        self._job, self._batch_rows, self._share, self._report = job, batch_rows, max_rejected_share, report
        self._began, self._validated, self._examples = time.monotonic(), 0, list[Rejected]()

    def load(self, open_source: Opener, reference: Reference) -> EtlReport:
        self._job.begin()
        resumed_at = self._job.position
        with open_source(reference) as reader:
            validator = Validator(schema_of(reference.source), reader.header, reader.kinds)
            for batch in reader.batches(resumed_at, self._batch_rows):
                self._take(batch, validator.check(batch))
            self._reject_duplicates(reader)
        self._judge()
        return self._publish(reference, resumed_at)

    def _take(self, batch: Batch, checked: Checked) -> None:
        self._job.add(checked)
        self._validated += len(batch.rows) + len(batch.broken)
        self._examples += checked.rejected[: 3 - len(self._examples)]
        self._report(min(batch.share * 100, 99.0), 100, f"line {batch.position:,}")
        if self._job.staged + self._job.rejected >= _JUDGED_EARLY:
            self._judge()

    def _reject_duplicates(self, reader: Reader) -> None:
        """Of rows with the same key the first one counts; the bytes of the others are read once more."""
        count = self._job.count_duplicates()
        self._judge(count)
        if not count:
            return
        for batch in reader.batches(0, self._batch_rows):
            first_lines = self._job.duplicates(batch.lines[0], batch.lines[-1]) if batch.lines else {}
            rejected = [
                Rejected(line, f"has the key of line {first_lines[line]}", raw)
                for line, raw in zip(batch.lines, batch.raws, strict=True)
                if line in first_lines
            ]
            if rejected:
                self._job.reject_staged(rejected)

    def _judge(self, more: int = 0) -> None:
        rejected, read = self._job.rejected + more, self._job.staged + self._job.rejected
        if rejected > self._share * read:
            examples = "".join(f"; line {row.line}: {row.reason[:200]}" for row in self._examples)
            raise PermanentError(
                f"{rejected:,} of {read:,} rows are broken, and ETL_MAX_REJECTED_SHARE allows {self._share:.0%}: "
                f"nothing was loaded, all reasons are in rejected_rows of job {self._job.id}{examples}"
            )

    def _publish(self, reference: Reference, resumed_at: int) -> EtlReport:
        self._report(99, 100, "publishing")
        with self._job.publish() as publication:
            report = EtlReport(
                job_id=self._job.id,
                source=reference.source,
                read=self._job.staged + self._job.rejected,
                loaded=self._job.staged,
                changed=publication.changed,
                rejected=self._job.rejected,
                resumed_at=resumed_at,
                validated=self._validated,
                seconds=round(time.monotonic() - self._began, 3),
            )
            publication.report = report.model_dump(mode="json")
        self._report(100, 100, f"{report.loaded:,} rows loaded")
        return report
