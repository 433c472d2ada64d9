"""What a scenario on the images is, and the list of all of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chaos.compose_side import ComposeSide

    Fault = Callable[[ComposeSide], None]


@dataclass(frozen=True)
class ComposeScenario:
    """One fault, done to containers.

    Args:
        name: for `--only`.
        title: what is done, for the table.
        run: does it.
        seconds: the bound of its run, from when the containers are healthy.
        may_exit: the fault itself ends containers, again and again.
    """

    name: str
    title: str
    run: "Fault"
    seconds: float
    may_exit: bool = False


COMPOSE_SCENARIOS: list[ComposeScenario] = []


def scenario(name: str, title: str, **options: Any) -> "Callable[[Fault], Fault]":
    """Put a function that does a fault on the list; arguments as those of `ComposeScenario`."""

    def register(run: "Fault") -> "Fault":
        COMPOSE_SCENARIOS.append(ComposeScenario(name, title, run, **options))
        return run

    return register
