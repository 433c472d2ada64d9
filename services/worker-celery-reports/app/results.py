"""What the report tasks take and give back."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from workerkit.storage import StoredFile

Kind = Literal["daily", "monthly"]
Address = Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]  # the email worker looks closer


class Headline(BaseModel):
    """One number with what it is, and what it is to be compared with."""

    model_config = ConfigDict(frozen=True)

    label: str
    value: str
    note: str = ""


class Links(BaseModel):
    """Where people find the files."""

    model_config = ConfigDict(frozen=True)

    html: str
    pdf: str
    csv: str


class Report(BaseModel):
    """A report that has been written: references to its files, and enough of it for a mail.

    `period` is a day or a month as in `2013-12-31` and `2013-12`, `day` the last day in it. `on_time` is a share of
    all flights, `median_delay` minutes; both are None if no arrival is known.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    period: str
    day: date
    title: str
    flights: int
    cancelled: int
    on_time: float | None
    median_delay: float | None
    summary: str
    headlines: list[Headline]
    html: StoredFile
    pdf: StoredFile
    csv: StoredFile
    urls: Links


class MailReceipt(BaseModel):
    """What the email worker answers: the mail's Message-ID and everybody it went to."""

    model_config = ConfigDict(frozen=True)

    message_id: str
    recipients: list[str]
