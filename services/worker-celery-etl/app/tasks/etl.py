"""The etl tasks: a typed payload in, one processor call, a report out."""

from datetime import date
from functools import cache, partial
from typing import Any
from uuid import UUID

from app.adapters.batches import load_batch
from app.adapters.exports import FORMATS
from app.adapters.jobs import job_of
from app.adapters.sources import Limits, open_source
from app.celery_app import app
from app.config import settings
from app.messages import BatchReport, Dataset, EtlReport, Reference, Rows, SavedResults
from app.processors.batch_processor import BatchProcessor
from app.processors.etl_processor import EtlProcessor
from app.processors.export_processor import ExportProcessor
from workerkit.idempotency import call_key
from workerkit.progress import Progress
from workerkit.storage import Storage, StoragePath

_SOFT, _HARD = 1500, 1800  # seconds; a load that is cut off goes on where it was


# Idempotent, because what comes twice may come after something newer, and would undo it.
@app.task(bind=True, name="app.tasks.etl.process_data", idempotent=True, soft_time_limit=_SOFT, time_limit=_HARD)
def process_data(self: Any, reference: Reference) -> EtlReport:
    """Load a file from storage into the table of its dataset; the same content is the same job."""
    return etl_processor().process(reference, Progress(self))


@app.task(bind=True, name="app.tasks.etl.run_etl_job", soft_time_limit=_SOFT, time_limit=_HARD)
def run_etl_job(self: Any, job_id: UUID, source: Reference) -> EtlReport:
    """Load a file as a job with an id of the caller's."""
    return etl_processor().run(job_id, source, Progress(self))


@app.task(bind=True, name="app.tasks.etl.process_batch", idempotent=True)
def process_batch(self: Any, dataset: Dataset, rows: Rows) -> BatchReport:
    """Load a few rows that are in the message itself."""
    return BatchProcessor(partial(load_batch, effect=call_key(self))).process(dataset, rows)


@app.task(name="app.tasks.etl.save_results", idempotent=True, soft_time_limit=_SOFT, time_limit=_HARD)
def save_results(
    dataset: Dataset, destination: StoragePath, first_day: date | None = None, last_day: date | None = None
) -> SavedResults:
    """Save a table, or some days of it, as .csv, .csv.gz, .jsonl or .parquet in storage."""
    return ExportProcessor(storage(), FORMATS).save(dataset, destination, first_day, last_day)


@cache
def storage() -> Storage:
    """The storage of this process."""
    return Storage(settings.storage_url)


@cache
def etl_processor() -> EtlProcessor:
    """The processor of this process."""
    limits = Limits(
        uncompressed_bytes=settings.etl_max_uncompressed_bytes,
        ratio=settings.etl_max_compression_ratio,
        line_bytes=settings.etl_max_line_bytes,
    )
    return EtlProcessor(
        partial(open_source, storage(), limits=limits),
        job_of,
        batch_rows=settings.etl_batch_rows,
        max_rejected_share=settings.etl_max_rejected_share,
    )
