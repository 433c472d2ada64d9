"""What a start-up check finds, and how a worker refuses to start."""

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import structlog

from workerkit.settings import StartupCheck

log = structlog.get_logger("worker")
EXIT_CODE = os.EX_CONFIG  # 78: "something was found in an unconfigured or misconfigured state"


@dataclass(frozen=True)
class Problem:
    """Why a worker must not start.

    Args:
        check: the check's name, as in SKIP_STARTUP_CHECKS.
        text: what is wrong and what to do about it.
    """

    check: StartupCheck
    text: str


def refuse_if_any(problems: Iterable[Problem], skipped: Collection[StartupCheck]) -> None:
    """End the worker if there is a problem, after a log line about each.

    Args:
        problems: what the checks found.
        skipped: names of checks whose problems are only logged.

    Raises:
        SystemExit: with exit code 78.
    """
    found = list(problems)
    for problem in found:
        if problem.check in skipped:
            log.warning(f"a start-up check is skipped: {problem.text}", check=problem.check)
        else:
            log.critical(f"the worker refuses to start: {problem.text}", check=problem.check)
    if any(problem.check not in skipped for problem in found):
        raise SystemExit(EXIT_CODE)
