"""Turns a report into the payload of the email worker's task."""

from collections.abc import Callable, Sequence
from typing import Any

from app.results import Report


def mail_payload(report: Report, to: Sequence[str], html: Callable[[Report], str]) -> dict[str, Any]:
    """What `app.tasks.email.send_email` takes, as JSON types; the PDF and the CSV are attached by reference.

    Args:
        report: what was written.
        to: at least one address; the first is the mail's To, the others its Cc.
        html: makes the mail's second form.
    """
    return {
        "to": to[0],
        "cc": list(to[1:]),
        "subject": report.title,
        "body": f"{report.summary}\n\nThe whole report and the list of flights are attached.\n",
        "html": html(report),
        "attachments": [file.model_dump(mode="json") for file in (report.pdf, report.csv)],
    }
