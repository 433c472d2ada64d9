"""Memory of workers over time: samples, their trend, and the picture of them."""

import contextlib
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib as mpl
import psutil
from matplotlib.figure import Figure

from chaos.supervisor import Supervised

_SAMPLE_SECONDS = 5.0
_MIB = 2**20


@dataclass
class Memory:
    """The memory of each worker: the proportional set size (PSS) of its main process and its pool together, in MiB.

    Args:
        workers: by name.
    """

    workers: dict[str, Supervised]
    samples: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="memory", daemon=True)
        self.samples = {name: [] for name in self.workers}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more samples."""
        self._end.set()
        self._thread.join()

    def latest(self, name: str) -> float:
        """The last sample of a worker, 0 if there is none."""
        return self.samples[name][-1][1] if self.samples[name] else 0.0

    def slope(self, name: str) -> float:
        """MiB per hour by least squares over all samples but those of the first tenth, in which caches fill."""
        points = self.samples[name][len(self.samples[name]) // 10 :]
        if len(points) < 3:  # noqa: PLR2004 - a line through less says nothing
            return 0.0
        mean_t = sum(t for t, _ in points) / len(points)
        mean_m = sum(m for _, m in points) / len(points)
        above = sum((t - mean_t) * (m - mean_m) for t, m in points)
        below = sum((t - mean_t) ** 2 for t, _ in points)
        return above / below * 3600

    def highest(self, name: str) -> float:
        """The highest sample of a worker, in MiB."""
        return max((m for _, m in self.samples[name]), default=0.0)

    def draw(self, path: Path) -> None:
        """Write the picture as SVG."""
        figure = Figure(figsize=(9, 3.5), layout="tight")
        axes = figure.subplots()
        for name, points in self.samples.items():
            axes.plot([t / 60 for t, _ in points], [m for _, m in points], linewidth=0.8, label=f"worker {name}")
        axes.set_xlabel("minutes")
        axes.set_ylabel("MiB (PSS, main process and pool)")
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, alpha=0.3)
        axes.legend(loc="lower right")
        with mpl.rc_context(
            {"svg.fonttype": "none", "svg.hashsalt": "soak"}
        ):  # letters as text; the same for the same data
            figure.savefig(path, metadata={"Date": None})

    def _go_on(self) -> None:
        while not self._end.wait(_SAMPLE_SECONDS):
            for name, worker in self.workers.items():
                size = _size(worker)
                if size and worker.is_up():  # one that is starting or gone says nothing
                    self.samples[name].append((time.monotonic() - self.began, size))


def _size(worker: Supervised) -> float:
    with contextlib.suppress(psutil.Error, RuntimeError):
        main = psutil.Process(worker.process.pid)
        return float(sum(each.memory_full_info().pss for each in (main, *main.children(recursive=True))) / _MIB)
    return 0.0
