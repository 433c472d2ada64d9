"""The picture of the page: how fast, and with how much CPU."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from compare.figures import Figures
from compare.subjects import Subject
from devstack.services import ROOT

PICTURE = ROOT / "docs/reference/performance.svg"
_OWN, _OTHER = "#2a6f97", "#b0b7bd"
_DRAINS = (("noop", "tasks that do nothing"), ("io", "tasks that wait 10 ms"))


def draw(subjects: Sequence[Subject], figures: Figures, path: Path = PICTURE) -> None:
    """Write the picture as SVG: bars for medians, whiskers from the lowest to the highest round."""
    subjects = [each for each in subjects if not each.workloads]
    figure = Figure(figsize=(11, 1 + 0.32 * len(subjects)), layout="tight")
    panels = [("rate", f"{title}, a second", name) for name, title in _DRAINS]
    panels.append(("cpu", "CPU seconds for 10,000 that do nothing (log)", "noop"))
    axes = figure.subplots(1, len(panels), sharey=True)
    for panel, (measure, title, workload) in zip(axes, panels, strict=True):
        _bars(panel, subjects, figures, workload, measure)
        panel.set_title(title, fontsize=9)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "bench"}):  # letters as text; the same for same data
        figure.savefig(path, metadata={"Date": None})


def _bars(axes: Axes, subjects: Sequence[Subject], figures: Figures, workload: str, measure: str) -> None:
    for place, subject in enumerate(reversed(subjects)):
        found = figures.summary(workload, subject.name, measure)
        color = _OWN if subject.name.startswith("template") else _OTHER
        median = found.median if found else 0.0
        whiskers = [[found.median - found.lowest], [found.highest - found.median]] if found else [[0.0], [0.0]]
        axes.barh(place, median, xerr=whiskers, color=color, ecolor="#555555", error_kw={"linewidth": 0.8})
        axes.annotate(
            f" {median:,.0f}" if measure == "rate" else f" {median:.2f}", (median, place), fontsize=7, va="bottom"
        )
    axes.set_yticks(range(len(subjects)), [each.name for each in reversed(subjects)], fontsize=8)
    axes.tick_params(axis="x", labelsize=7)
    if measure == "cpu":
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.15)  # room for the last figure
    axes.grid(visible=True, axis="x", alpha=0.3)
