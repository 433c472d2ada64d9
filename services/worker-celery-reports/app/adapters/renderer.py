"""All files of a report; loads Matplotlib and fpdf2, so that only the first report of a process waits for them."""

from collections.abc import Iterable

from app.adapters.flight_list import flight_list
from app.adapters.page import page
from app.adapters.paper import paper
from app.document import Document
from app.facts import Departure


class FileRenderer:
    """The same document always makes the same bytes."""

    def html(self, document: Document) -> bytes:
        """One page that needs nothing else."""
        return page(document).encode()

    def pdf(self, document: Document) -> bytes:
        """A4 pages."""
        return paper(document)

    def csv(self, departures: Iterable[Departure]) -> bytes:
        """One line for each flight."""
        return flight_list(departures)
