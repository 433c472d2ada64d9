"""Makes a report: reads, composes, renders and stores it under a name that another run uses again."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol, TypeAlias

from pydantic import ValidationError

from app.document import Document
from app.facts import Departure
from app.processors.kinds import KINDS, Composed, Data
from app.results import Kind, Links, Report
from workerkit.errors import FieldError, InvalidPayload
from workerkit.storage import Storage, StoredFile

Tell: TypeAlias = Callable[[float, float, str], None]
_STEPS: Final = ("reading the flights", "writing the page", "writing the PDF", "storing the files", "done")


def _untold(_current: float, _total: float, _message: str) -> None:
    """Nobody wants to know how far it is."""


class Renderer(Protocol):
    """Turns a document into files."""

    def html(self, document: Document) -> bytes:
        """One page that needs nothing else."""

    def pdf(self, document: Document) -> bytes:
        """A4 pages."""

    def csv(self, departures: Iterable[Departure]) -> bytes:
        """One line for each flight."""


class ReportProcessor:
    """Makes reports of any kind.

    Args:
        data: opens what is read; everything is read before it is closed.
        renderer: makes the files.
        storage: keeps them.
    """

    def __init__(self, data: Callable[[], AbstractContextManager[Data]], renderer: Renderer, storage: Storage) -> None:
        self._data = data
        self._renderer = renderer
        self._storage = storage

    def generate(self, kind: Kind, parameters: Mapping[str, Any], progress: Tell = _untold) -> Report:
        """Make a report; an earlier one of the same period is replaced.

        Args:
            kind: of report.
            parameters: depend on the kind.
            progress: gets how many steps are done, how many there are, and the name of the next.

        Raises:
            InvalidPayload: the parameters are not those of this kind.
            PermanentError: there is nothing to report on.
            TransientError: the database or the storage is away.
        """
        chosen = KINDS[kind]
        try:
            checked = chosen.parameters.model_validate(parameters)
        except ValidationError as error:
            raise _invalid(kind, error) from None
        _tell(progress, 0)
        with self._data() as data:
            composed = chosen.compose(data, checked)
            csv = self._renderer.csv(data.departures(composed.facts.days))
        pages = self._render(composed.document, csv, progress)
        _tell(progress, 3)
        report = self._store(kind, composed, pages)
        _tell(progress, 4)
        return report

    def _render(self, document: Document, csv: bytes, progress: Tell) -> dict[str, bytes]:
        _tell(progress, 1)
        html = self._renderer.html(document)
        _tell(progress, 2)
        return {"html": html, "pdf": self._renderer.pdf(document), "csv": csv}

    def _store(self, kind: Kind, composed: Composed, pages: Mapping[str, bytes]) -> Report:
        folder = f"reports/{kind}/{composed.period}"
        document, total = composed.document, composed.facts.total
        files = {end: self._storage.put(f"{folder}/{_NAMES[end]}", data) for end, data in pages.items()}
        return Report(
            kind=kind,
            period=composed.period,
            day=document.last_day,
            title=f"{document.name}, {document.title}",
            flights=total.flights,
            cancelled=total.cancelled,
            on_time=total.on_time_share,
            median_delay=total.median,
            summary=composed.summary,
            headlines=list(document.headlines),
            urls=self._links(files),
            **files,
        )

    def _links(self, files: Mapping[str, StoredFile]) -> Links:
        return Links(**{end: self._storage.url(file.path) for end, file in files.items()})


_NAMES = {"html": "report.html", "pdf": "report.pdf", "csv": "flights.csv"}


def _tell(progress: Tell, done: int) -> None:
    progress(done, len(_STEPS) - 1, _STEPS[done])


def _invalid(kind: Kind, error: ValidationError) -> InvalidPayload:
    errors: list[FieldError] = [
        {"field": ".".join(["parameters", *map(str, found["loc"])]), "problem": found["msg"]}
        for found in error.errors(include_url=False, include_input=False)
    ]
    listing = "; ".join(f"{found['field']}: {found['problem']}" for found in errors)
    return InvalidPayload(f"these are not the parameters of a {kind} report: {listing}", errors)
