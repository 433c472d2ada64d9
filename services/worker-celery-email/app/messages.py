"""The payloads of the email tasks: what callers may send, and the receipt they get."""

import re
from dataclasses import dataclass
from typing import Annotated

from email_validator import validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, EmailStr, Field, StringConstraints

from workerkit.storage import StoredFile

MAX_ATTACHMENTS = 10
MAX_BODY_CHARACTERS = 200_000  # what fits a message of 256 KiB, and what mail programs still show in full
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _one_line(text: str) -> str:
    """Refuses what could begin another header."""
    if _CONTROL.search(text):
        raise ValueError("must be one line: no line breaks or control characters")
    return text


def _mail_sized(text: str) -> str:
    if len(text) > MAX_BODY_CHARACTERS:
        raise ValueError(
            f"has {len(text):,} characters and a mail takes {MAX_BODY_CHARACTERS:,}: "
            "store the document and send a link to it"
        )
    return text


def _ascii_domain(address: str) -> str:
    """Writes müller.example as xn--mller-kva.example, which every mail server understands."""
    return validate_email(address, check_deliverability=False).ascii_email or address


def _trimmed(max_length: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=max_length)


Subject = Annotated[str, _trimmed(255), AfterValidator(_one_line)]
Name = Annotated[str, _trimmed(100), AfterValidator(_one_line)]  # of a person; templates put it in subjects
Notice = Annotated[str, _trimmed(10_000)]  # with the template around it and HTML-escaped, it still fits a Body
Body = Annotated[str, AfterValidator(_mail_sized), Field(json_schema_extra={"maxLength": MAX_BODY_CHARACTERS})]
Address = Annotated[EmailStr, AfterValidator(_ascii_domain)]
Channels = dict[str, Annotated[list[EmailStr], Field(min_length=1, max_length=51)]]  # one To, 50 Cc


class OutgoingEmail(BaseModel):
    """One mail to `to` and everybody in `cc`; `html` is an alternative to the text in `body`.

    `attachments` are references: the files themselves stand in storage.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Address
    subject: Subject
    body: Body
    html: Body | None = None
    cc: Annotated[list[Address], Field(max_length=50)] = []
    reply_to: Address | None = None
    attachments: Annotated[list[StoredFile], Field(max_length=MAX_ATTACHMENTS)] = []


@dataclass(frozen=True)
class Attachment:
    """A file as it is attached; `content_type` is like `text/csv`."""

    filename: str
    content_type: str
    content: bytes


class EmailReceipt(BaseModel):
    """What the mail server took: the mail's Message-ID and everybody it goes to."""

    model_config = ConfigDict(frozen=True)

    message_id: str
    recipients: list[str]
