"""The payloads of the etl tasks: what callers may send, and the reports they get."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from workerkit.storage import StoredFile

Dataset = Literal["airlines", "airports", "planes", "weather", "flights"]
Rows = Annotated[list[dict[str, Any]], Field(max_length=5_000)]


class Reference(StoredFile):
    """A file in storage and the dataset it holds; more fields, as in the result of a fetch, are ignored."""

    source: Dataset


class EtlReport(BaseModel):
    """What a job did.

    `read` rows are the file's, `loaded` of them are in the table now, `changed` of these were new or different, and
    `rejected` are kept with their reasons in `rejected_rows`. `resumed_at` is the line (row for Parquet) after which
    the last run went on, `validated` the rows which that run looked at itself, `seconds` what it took.
    """

    model_config = ConfigDict(frozen=True)

    job_id: UUID
    source: Dataset
    read: int
    loaded: int
    changed: int
    rejected: int
    resumed_at: int
    validated: int
    seconds: float


class RejectedItem(BaseModel):
    """A row of a batch that was not taken; `index` counts from 0."""

    index: int
    reason: str


class BatchReport(BaseModel):
    """What became of a batch; `rejected` is the number, `rejections` holds the first 100 of them."""

    dataset: Dataset
    loaded: int
    changed: int
    rejected: int
    rejections: list[RejectedItem]


class SavedResults(StoredFile):
    """The file that a table was written to, and its number of rows."""

    dataset: Dataset
    rows: int
