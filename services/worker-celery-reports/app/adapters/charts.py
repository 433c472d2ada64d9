"""Draws charts as SVG, with Matplotlib's figures only: pyplot would keep each of them for ever."""

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.adapters.palette import MARKERS, PAPER, Palette, themed
from app.document import Chart, DelaysChart, HoursChart, TrendChart, WeatherChart, WeekdaysChart
from app.facts import BIN_MINUTES, ON_TIME_MINUTES, DayMean, Measures
from app.processors.wording import WEEKDAYS, percent

_SIZE = (4.8, 2.75)  # inches; text of 9 points can be read in a column of a page and on a telephone
_ENOUGH = 4  # flights whose quarters say something
_LAST_BIN = 180  # minutes; what is later stands in one bar
_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.unicode_minus": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.solid_joinstyle": "bevel",  # fpdf2 makes sharp corners of the default
    "svg.hashsalt": "report",  # the names in an SVG are random without it
}
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def for_page(chart: Chart) -> str:
    """An SVG element for a page, in the page's own font and colours, with the chart's `alt` for those who see none."""
    svg = themed(_draw(chart, MARKERS, fonttype="none"))
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"font-family: [^;\"]*", "font-family: inherit", svg)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{chart.name}-", svg)  # another chart on the page has the same
    svg = re.sub(r'<svg [^>]*viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', svg, count=1)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)  # it would hold for the whole page
    return svg.replace("xlink:href", "href")


def for_paper(chart: Chart) -> bytes:
    """An SVG file with text as outlines, for a PDF."""
    return _draw(chart, PAPER, fonttype="path").encode()


def _draw(chart: Chart, colours: Palette, fonttype: str) -> str:
    file = io.StringIO()
    tinted = dict.fromkeys(("text.color", "xtick.color", "ytick.color", "axes.labelcolor"), colours.muted)
    style: Any = {
        **_STYLE,
        **tinted,
        "svg.fonttype": fonttype,
        "axes.edgecolor": colours.rest,
        "grid.color": colours.grid,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=_SIZE, layout="constrained")
        draw: Callable[..., None] = _DRAW[type(chart.plot)]
        draw(figure, chart.plot, colours)
        figure.savefig(file, format="svg", transparent=True, metadata=_NO_METADATA)
    return file.getvalue()


def _hours(figure: Figure, plot: HoursChart, colours: Palette) -> None:
    delays, flights = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    known = [(hour.hour, hour.measures) for hour in plot.hours if hour.measures.measured >= _ENOUGH]
    hours = [hour for hour, _ in known]
    delays.fill_between(
        hours, [m.lower or 0 for _, m in known], [m.upper or 0 for _, m in known], color=colours.band, linewidth=0
    )
    delays.plot(hours, [m.median or 0 for _, m in known], color=colours.good, linewidth=2, marker="o", markersize=3.5)
    delays.axhline(0, color=colours.muted, linewidth=0.8)
    delays.grid(axis="y", linewidth=0.6)
    delays.yaxis.set_major_formatter(_signed)
    delays.spines["bottom"].set_visible(False)
    if known:
        _name_the_band(delays, known, colours)
    _departures(flights, plot, colours)


def _name_the_band(axes: Axes, known: Sequence[tuple[int, Measures]], colours: Palette) -> None:
    hour, last = known[-1]
    axes.annotate(
        "median", (hour, last.median or 0), (6, -6), textcoords="offset points", va="center", color=colours.good
    )
    axes.annotate("middle half", (hour, last.upper or 0), (6, 6), textcoords="offset points", va="center")


def _departures(axes: Axes, plot: HoursChart, colours: Palette) -> None:
    hours = [hour.hour for hour in plot.hours]
    left = [hour.measures.flights - hour.measures.cancelled for hour in plot.hours]
    axes.bar(hours, left, color=colours.rest, width=0.75)
    axes.bar(hours, [hour.measures.cancelled for hour in plot.hours], bottom=left, color=colours.bad, width=0.75)
    axes.set_title("Flights, cancelled ones on top", fontsize=8, loc="left", color=colours.muted, pad=3)
    axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(2, integer=True))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    if hours:
        ticks = range(min(hours), max(hours) + 1, 3)
        axes.set_xticks(list(ticks), [f"{hour:02}:00" for hour in ticks])


def _delays(figure: Figure, plot: DelaysChart, colours: Palette) -> None:
    axes = figure.subplots()
    counts: dict[int, int] = {}
    for found in plot.bins:
        start = min(found.start, _LAST_BIN)
        counts[start] = counts.get(start, 0) + found.flights
    shades = [colours.good if start < ON_TIME_MINUTES else colours.bad for start in counts]
    axes.bar(list(counts), list(counts.values()), width=BIN_MINUTES * 0.88, align="edge", color=shades)
    axes.grid(axis="y", linewidth=0.6)
    axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    first = min([*counts, -60]) // 60 * 60
    ticks = range(first, _LAST_BIN + 1, 60)
    names = [*(_signed(tick) for tick in ticks[:-1]), f"+{_LAST_BIN} and more"]
    axes.set_xticks([*ticks[:-1], _LAST_BIN + BIN_MINUTES / 2], names)
    axes.set_xlim(first, _LAST_BIN + 2 * BIN_MINUTES)
    if plot.total.measured:
        _name_the_limit(axes, plot.total, colours)


def _name_the_limit(axes: Axes, total: Measures, colours: Palette) -> None:
    late = total.measured - total.on_time
    style: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "va": "top", "linespacing": 1.35}
    axes.text(axes.get_xlim()[0] + 2, 0.99, f"{percent(total.on_time_share)}\non time", color=colours.good, **style)
    text = f"{percent(late / total.flights)} arrived\n{ON_TIME_MINUTES} min late or more"
    axes.text(ON_TIME_MINUTES + 8, 0.99, text, color=colours.bad, **style)


def _trend(figure: Figure, plot: TrendChart, colours: Palette) -> None:
    delays, cancelled = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    places = range(len(plot.days))
    delays.plot(
        places, [float("nan") if day.mean_delay is None else day.mean_delay for day in plot.days],
        color=colours.good, linewidth=2, marker="o", markersize=3,
    )  # fmt: skip
    delays.axhline(0, color=colours.muted, linewidth=0.8)
    delays.grid(axis="y", linewidth=0.6)
    delays.yaxis.set_major_formatter(_signed)
    delays.spines["bottom"].set_visible(False)
    for place, day in enumerate(plot.days):
        if day.day in plot.marked and day.mean_delay is not None:
            _mark(delays, place, day.mean_delay, colours)
    cancelled.bar(places, [day.cancelled for day in plot.days], color=colours.bad, width=0.75)
    cancelled.set_title("Cancelled flights", fontsize=8, loc="left", color=colours.muted, pad=3)
    cancelled.yaxis.set_major_locator(mpl.ticker.MaxNLocator(2, integer=True))
    cancelled.yaxis.set_major_formatter("{x:,.0f}")
    _days(cancelled, plot.days)


def _mark(axes: Axes, place: int, delay: float, colours: Palette) -> None:
    axes.plot([place], [delay], color=colours.ink, marker="o", markersize=6)
    style: dict[str, Any] = {"textcoords": "offset points", "va": "center", "color": colours.ink, "weight": "bold"}
    axes.annotate(_signed(round(delay)), (place, delay), (8, 0), **style)


def _days(axes: Axes, days: Sequence[DayMean]) -> None:
    ticks = range(len(days) - 1, -1, -7)
    names = [f"{days[place].day.day} {days[place].day:%b}" for place in ticks]
    axes.set_xticks(list(ticks), names)
    if not any(day.cancelled for day in days):
        axes.set_ylim(0, 1)


def _weekdays(figure: Figure, plot: WeekdaysChart, colours: Palette) -> None:
    axes = figure.subplots()
    heights = [delay or 0.0 for delay in plot.delays]
    shades = [colours.bad if height == max(heights) else colours.good for height in heights]
    bars = axes.bar([name[:3] for name in WEEKDAYS], heights, color=shades, width=0.7)
    names = ["" if delay is None else _signed(delay) for delay in plot.delays]
    axes.bar_label(bars, names, padding=3, color=colours.ink)
    axes.axhline(0, color=colours.muted, linewidth=0.8)
    axes.margins(y=0.12)
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)


def _weather(figure: Figure, plot: WeatherChart, colours: Palette) -> None:
    if not plot.hours:
        figure.text(0.5, 0.5, "no readings", ha="center", va="center")
        return
    panels = figure.subplots(2, 2, sharex=True).flat
    hours = [hour.hour for hour in plot.hours]
    rows: list[tuple[str, list[float | None]]] = [
        ("Temperature, °F", [hour.temperature for hour in plot.hours]),
        ("Wind, mph", [hour.wind for hour in plot.hours]),
        ("Precipitation, inches an hour", [hour.precipitation for hour in plot.hours]),
        ("Visibility, miles", [hour.visibility for hour in plot.hours]),
    ]
    for axes, (title, values) in zip(panels, rows, strict=True):
        numbers = [float("nan") if value is None else value for value in values]
        _panel(axes, title, hours, numbers, colours)


def _panel(axes: Axes, title: str, hours: Sequence[int], values: Sequence[float], colours: Palette) -> None:
    if title.startswith("Precipitation"):
        axes.bar(hours, values, color=colours.good, width=0.8)
        axes.set_ylim(0, max([0.1, *(value * 1.1 for value in values)]))  # a drizzle is not to look like a storm
    else:
        axes.plot(hours, values, color=colours.good, linewidth=1.8)
    if title.startswith(("Wind", "Visibility")):
        axes.set_ylim(0, max([11.0, *(value * 1.1 for value in values if value == value)]))  # noqa: PLR0124  - not NaN
    axes.set_title(title, fontsize=8, loc="left", color=colours.muted, pad=4)
    axes.grid(axis="y", linewidth=0.6)
    axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.set_xlim(-0.8, 23.8)
    axes.set_xticks([0, 6, 12, 18], ["00:00", "06:00", "12:00", "18:00"])


def _signed(value: float, _place: Any = None) -> str:
    return f"{value:+,.0f}".replace("-", "\N{MINUS SIGN}") if round(value) else "0"


_DRAW: dict[type, Callable[..., None]] = {
    HoursChart: _hours,
    DelaysChart: _delays,
    TrendChart: _trend,
    WeekdaysChart: _weekdays,
    WeatherChart: _weather,
}
