"""The report tasks: a typed payload in, one processor call, a typed result out."""

from datetime import date
from functools import cache
from typing import Annotated, Any

from pydantic import Field

from app.adapters.flight_data import flight_data
from app.adapters.page import mail
from app.celery_app import app
from app.config import settings
from app.processors.dispatch import mail_payload
from app.processors.report_processor import ReportProcessor
from app.results import Address, Kind, MailReceipt, Report
from workerkit.progress import Progress
from workerkit.storage import Storage


@app.task(bind=True, name="app.tasks.reports.generate_daily_report")
def generate_daily_report(self: Any, day: date | None = None) -> Report:
    """Write the report about a day, or the latest one that has statistics, as HTML, PDF and CSV."""
    return report_processor().generate("daily", {"day": day}, Progress(self))


@app.task(bind=True, name="app.tasks.reports.generate_report")
def generate_report(self: Any, kind: Kind, parameters: dict[str, Any]) -> Report:
    """Write a report of any kind; what `parameters` is depends on the kind."""
    return report_processor().generate(kind, parameters, Progress(self))


@app.task(bind=True, name="app.tasks.reports.send_report")
def send_report(
    self: Any, report: Report, to: Annotated[list[Address], Field(min_length=1, max_length=51)] | None = None
) -> MailReceipt:
    """Mail a report; the mail takes the place of this task, so who waits for this one waits until it was sent."""
    payload = mail_payload(report, to or settings.report_recipients, mail)
    # The mail has the id of this task, and the mail's Message-ID follows from it: however often this runs, it is one.
    receipt: MailReceipt = self.replace(app.signature("app.tasks.email.send_email", kwargs=payload, immutable=True))
    return receipt


@cache
def report_processor() -> ReportProcessor:
    """The processor of this process, on the configured storage."""
    # Matplotlib and fpdf2 take a second to load: the first report waits for it, not the worker's start.
    from app.adapters.renderer import FileRenderer  # noqa: PLC0415

    return ReportProcessor(flight_data, FileRenderer(), Storage(settings.storage_url))
