"""Renders a document as one HTML page, and a report as the HTML of its mail; neither needs anything else."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.document import Chart, Document
from app.results import Report

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parents[1] / "templates"),
    autoescape=True,
    undefined=StrictUndefined,  # a forgotten value is an error, not a hole in a report
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(document: Document) -> str:
    """The page; it follows the reader's light or dark theme and the width of the window."""
    return _TEMPLATES.get_template("report.html").render(document=document, svg=_svg)


def mail(report: Report) -> str:
    """A short mail with the headline numbers."""
    return _TEMPLATES.get_template("mail.html").render(report=report)


def _svg(chart: Chart) -> Markup:
    from app.adapters.charts import for_page  # noqa: PLC0415  - Matplotlib takes long to load, and a mail needs none

    return Markup(for_page(chart))  # noqa: S704  - Matplotlib escapes the texts in a picture
