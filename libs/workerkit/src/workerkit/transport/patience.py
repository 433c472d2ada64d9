"""A suspect, a message whose next crash would condemn it, runs alone in its worker: how long it waits for that."""

_SECONDS = 60.0


class Patience:
    """Since when a suspect waits until nothing else runs here; after a minute it runs along with the others."""

    def __init__(self) -> None:
        self._since: float | None = None

    def note(self, blocked: bool, now: float) -> None:
        """Take over what a step showed: whether one waits. `now` is monotonic, in seconds."""
        if not blocked:
            self._since = None
        elif self._since is None:
            self._since = now

    def lasts(self, now: float) -> bool:
        """One waits, and nothing else should be claimed before it."""
        return self._since is not None and now - self._since < _SECONDS

    def is_over(self, now: float) -> bool:
        """One has waited for too long."""
        return self._since is not None and not self.lasts(now)
