"""Renders a mail from app/templates: a subject, a text and its HTML twin."""

from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parents[1] / "templates"),
    autoescape=select_autoescape(["html"]),  # the plain text must stay plain
    undefined=StrictUndefined,  # a forgotten value is an error, not a hole in a mail
    trim_blocks=True,
)


class Rendered(NamedTuple):
    """The three parts of a mail."""

    subject: str
    text: str
    html: str


def render(template: str, /, **values: str) -> Rendered:
    """Renders `template`.subject, `template`.txt and `template`.html.

    Raises:
        jinja2.TemplateNotFound: one of the three is not there.
        jinja2.UndefinedError: a template uses a value that was not given.
    """
    return Rendered(
        *(_TEMPLATES.get_template(f"{template}.{kind}").render(values) for kind in ("subject", "txt", "html"))
    )
