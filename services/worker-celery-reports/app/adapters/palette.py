"""Colours that people with any colour vision can tell apart (Okabe and Ito), for paper and as CSS variables."""

import re
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Palette:
    """One colour for each role.

    Args:
        ink: text that matters.
        muted: axes and text that explains.
        grid: lines that guide the eye.
        good: what is on time, and delays.
        band: the middle half behind a line in `good`.
        bad: what is late or cancelled.
        rest: what is beside the point.
    """

    ink: str
    muted: str
    grid: str
    good: str
    band: str
    bad: str
    rest: str


PAPER = Palette("#1a2330", "#5b6675", "#dfe3e8", "#0072b2", "#cfe3f0", "#d55e00", "#aab4c0")
# Matplotlib takes only colours, so a picture for a page is drawn in these, and `themed` puts the variables in.
MARKERS = Palette(*(f"#0102{number:02x}" for number in range(len(fields(Palette)))))
_VARIABLES = {getattr(MARKERS, role.name): f"var(--{role.name})" for role in fields(Palette)}


def themed(svg: str) -> str:
    """Replace the marker colours by CSS variables, which change with the reader's light or dark theme."""
    return re.sub("|".join(_VARIABLES), lambda found: _VARIABLES[found[0]], svg)
