"""Renders a document as a PDF of A4 pages, with charts as vectors."""

import io
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import matplotlib as mpl
from fpdf import FPDF

from app.adapters.charts import for_paper
from app.adapters.palette import PAPER
from app.document import Cell, Chart, Column, ColumnKind, Document, Table
from app.results import Headline

_FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"
_MARGIN, _GAP = 15.0, 6.0  # millimetres, as all lengths here
_WIDTH = 210.0 - 2 * _MARGIN
_COLUMN = (_WIDTH - _GAP) / 2
_ROW = 5.4
_SMALLEST = 6.0  # points
_CHART = _COLUMN * 2.75 / 4.8
logging.getLogger("fontTools").setLevel(logging.ERROR)  # it tells at length what it leaves out of a font


def paper(document: Document) -> bytes:
    """The file; its date is the midnight after the last day, so that the same data make the same bytes."""
    pdf = _Paper(document)
    pdf.add_page()
    pdf.top()
    pdf.tiles(document.headlines)
    pdf.rows_of(document.tables[0])
    for first in range(0, len(document.charts), 2):
        pdf.charts(document.charts[first : first + 2])
    for table in document.tables[1:]:
        pdf.rows_of(table)
    pdf.notes()
    return bytes(pdf.output())


class _Paper(FPDF):
    def __init__(self, document: Document) -> None:
        super().__init__(format="A4")
        self._document = document
        self.add_font("DejaVu", "", _FONTS / "DejaVuSans.ttf")
        self.add_font("DejaVu", "B", _FONTS / "DejaVuSans-Bold.ttf")
        self.set_margins(_MARGIN, _MARGIN)
        self.c_margin = 0
        self.set_auto_page_break(True, 17)
        self.set_title(document.title)
        self.set_subject(document.subtitle)
        self.set_lang("en")
        self.set_creation_date(datetime.combine(document.last_day + timedelta(1), time(), UTC))

    def footer(self) -> None:
        """What stands at the foot of each page."""
        self.set_y(-12)
        self._pen(7, PAPER.muted)
        self.cell(_WIDTH / 2, 4, f"{self._document.subtitle}, {self._document.title}")
        self.cell(_WIDTH / 2, 4, f"Page {self.page_no()}", align="R")

    def top(self) -> None:
        """The title and what is most worth knowing."""
        self._line(9, PAPER.muted, self._document.subtitle, 5)
        self._line(19, PAPER.ink, self._document.title, 10, bold=True)
        self._pen(9, PAPER.ink)
        self.multi_cell(_WIDTH, 4.8, self._document.lead, new_x="LMARGIN", new_y="NEXT", align="L")
        self.ln(4)

    def tiles(self, headlines: Sequence[Headline]) -> None:
        """The numbers that everybody reads, side by side."""
        width, top = _WIDTH / len(headlines), self.get_y()
        for number, headline in enumerate(headlines):
            self._tile(headline, _MARGIN + number * width, top, width)
        self.set_xy(_MARGIN, top + 23)

    def _tile(self, headline: Headline, left: float, top: float, width: float) -> None:
        self.set_draw_color(PAPER.good)
        self.set_line_width(0.6)
        self.line(left, top, left + width - 3, top)
        lines = ((8, "", headline.label, PAPER.muted), (12, "B", headline.value, PAPER.ink))
        self.set_xy(left, top + 1.5)
        for size, style, text, colour in lines:
            self._pen(size, colour, bold=bool(style))
            self._fitted(width - 3, size * 0.5, text, size, align="L")
            self.set_xy(left, self.get_y() + size * 0.5)
        self._pen(7, PAPER.muted)
        self.multi_cell(width - 3, 3.4, headline.note, align="L")

    def charts(self, charts: Sequence[Chart]) -> None:
        """One or two charts side by side."""
        if self.will_page_break(_CHART + 12):
            self.add_page()
        top = self.get_y()
        for number, chart in enumerate(charts):
            left = _MARGIN + number * (_COLUMN + _GAP)
            self._heading(chart.title, chart.note, left, top)
            self.image(io.BytesIO(for_paper(chart)), x=left, y=top + 9.5, w=_COLUMN, alt_text=chart.alt)
        self.set_xy(_MARGIN, top + 9.5 + _CHART + 5)

    def rows_of(self, table: Table) -> None:
        """A table; one that does not fit the page begins on the next."""
        if not table.rows:
            return
        if self.will_page_break(16 + _ROW * len(table.rows)):
            self.add_page()
        self._heading(table.title, table.note, _MARGIN, self.get_y())
        self.set_xy(_MARGIN, self.get_y() + 1)
        self._pen(7, PAPER.muted)
        for column in table.columns:
            self.cell(_wide(column), _ROW, column.title, align=_align(column))
        self.ln(_ROW)
        for row in table.rows:
            self._row(table.columns, row)
        self.ln(5)

    def _row(self, columns: Sequence[Column], row: Sequence[Cell]) -> None:
        self.set_draw_color(PAPER.grid)
        self.set_line_width(0.2)
        self.line(_MARGIN, self.get_y(), _MARGIN + _WIDTH, self.get_y())
        for column, cell in zip(columns, row, strict=True):
            self._pen(8, PAPER.ink)
            if column.kind is ColumnKind.BAR:
                self._bar(_wide(column), cell)
            else:
                self._fitted(_wide(column), _ROW, cell.text, 8, align=_align(column))
        self.ln(_ROW)

    def _bar(self, width: float, cell: Cell) -> None:
        left, top, room = self.get_x() + 4, self.get_y() + 1.5, width - 21
        self.set_fill_color(PAPER.grid)
        self.rect(left, top, room, _ROW - 3, style="F")
        self.set_fill_color(PAPER.good)
        if cell.share:
            self.rect(left, top, room * cell.share, _ROW - 3, style="F")
        self.cell(width, _ROW, cell.text, align="R")

    def notes(self) -> None:
        """How things were counted."""
        for note in self._document.notes:
            self._pen(7, PAPER.muted)
            self.multi_cell(_WIDTH, 3.6, note, new_x="LMARGIN", new_y="NEXT", align="L")
            self.ln(1)

    def _heading(self, title: str, note: str, left: float, top: float) -> None:
        self.set_xy(left, top)
        self._line(10, PAPER.ink, title, 5, bold=True)
        self.set_x(left)
        self._line(7, PAPER.muted, note, 4)

    def _line(self, size: float, colour: str, text: str, height: float, *, bold: bool = False) -> None:
        self._pen(size, colour, bold=bold)
        self.cell(0, height, text, new_x="LMARGIN", new_y="NEXT")

    def _fitted(self, width: float, height: float, text: str, size: float, *, align: str) -> None:
        """A text in one line, set smaller and at last cut if it is too long."""
        while self.get_string_width(text) > width - 2 and size > _SMALLEST:
            size -= 0.5
            self.set_font_size(size)
        if self.get_string_width(text) > width - 2:
            while text and self.get_string_width(f"{text}…") > width - 2:
                text = text[:-1]
            text += "…"
        self.cell(width, height, text, align=align)

    def _pen(self, size: float, colour: str, *, bold: bool = False) -> None:
        self.set_font("DejaVu", "B" if bold else "", size)
        self.set_text_color(colour)


def _wide(column: Column) -> float:
    return _WIDTH * column.width / 100


def _align(column: Column) -> str:
    return "L" if column.kind is ColumnKind.TEXT else "R"
