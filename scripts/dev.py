"""`make dev`: the embedded stack, kept running until Ctrl-C; a service restarts when its code or a library changes."""

import argparse
import sys
import threading
import time
from pathlib import Path

from rich.console import Console
from watchfiles import PythonFilter, watch

from devstack.folders import new_folder
from devstack.interrupts import end_on_signals
from devstack.process import ManagedProcess
from devstack.services import ROOT
from devstack.stack import Stack

_TAIL_SECONDS = 0.2


class Follower:
    """Prints what the processes write to their logs, each line with its process's name."""

    def __init__(self, processes: list[ManagedProcess], console: Console) -> None:
        self._console = console
        self._places = dict.fromkeys(processes, 0)

    def run(self, stop: threading.Event) -> None:
        """Follow until `stop` is set."""
        while not stop.wait(_TAIL_SECONDS):
            for process in self._places:
                self._print_new(process)

    def _print_new(self, process: ManagedProcess) -> None:
        if not process.log.exists():
            return
        with process.log.open(errors="replace") as log:
            log.seek(self._places[process])
            for line in log:
                self._console.print(f"{process.name:<20} | {line.rstrip()}", markup=False, soft_wrap=True)
            self._places[process] = log.tell()


def main() -> int:
    """Keep the stack running; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="SERVICE", help="start these services only; default: all")
    only = parser.parse_args().only
    end_on_signals()
    console = Console()
    folder = new_folder("dev")
    stop = threading.Event()
    try:
        with Stack(folder, only=set(only) if only else None, settings={"LOG_FORMAT": "console"}) as stack:
            _say_where(stack, console)
            threading.Thread(target=Follower(stack.processes, console).run, args=(stop,), daemon=True).start()
            _keep_running(stack, console, stop)
    except KeyboardInterrupt:
        console.print("Stopping.")
    finally:
        stop.set()
        console.print(f"Logs: {folder / 'logs'}")
    return 0


def _say_where(stack: Stack, console: Console) -> None:
    console.print(
        f"mails    {stack.mailbox.url}", f"flower   {stack.flower_url}  (admin / {stack.flower_password})", sep="\n"
    )
    console.print(f"gateway  {stack.gateway_url}  (any user name / {stack.gateway_key}, its API key)", soft_wrap=True)
    console.print(f"send     export TASK_BROKER_URL={stack.valkey.url}", soft_wrap=True)
    console.print("         .venv/bin/tasks send app.tasks.email.send_email to=ada@example.com subject=Hello body=Hi")


def _keep_running(stack: Stack, console: Console, stop: threading.Event) -> None:
    folders = [ROOT / "services", *ROOT.glob("libs/*/src")]
    for changes in watch(
        *folders, watch_filter=PythonFilter(), rust_timeout=1000, yield_on_timeout=True, stop_event=stop
    ):
        changed = {Path(path) for _, path in changes}
        for name, process in stack.services.items():
            concerned = _concerns(name, changed)
            if concerned:
                console.print(f"{name}: the code changed, restarting", style="yellow")
            if concerned or not process.alive():
                process.stop()  # of a dead one, what it left behind
                _restart(process, console)


def _concerns(service: str, changed: set[Path]) -> bool:
    own = ROOT / "services" / service
    return any(own in path.parents or ROOT / "libs" in path.parents for path in changed)


def _restart(process: ManagedProcess, console: Console) -> None:
    if process.exit_code():
        console.print(f"{process.name} exited with {process.exit_code()}, starting it again", style="red")
        time.sleep(1)  # a service that cannot start must not spin
    process.start()


if __name__ == "__main__":
    sys.exit(main())
