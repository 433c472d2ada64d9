"""`make demo`: starts everything on this machine, sends real tasks by name, shows what came of them, and ends.

First some mails, two of which are refused, one of these before it is sent; then the nightly workflow through all
services: it fetches all flights that left New York City in 2013, loads them, computes statistics, writes a report and
mails it. No Docker, no root, no server needed: the servers come from Python packages. Exits 0 if every step did what it
should.
"""

import argparse
import sys
import time
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Column, Table

from devstack.folders import new_folder
from devstack.interrupts import end_on_signals
from devstack.stack import Stack
from taskclient.cli_run import show_run
from taskclient.client import TaskClient
from taskclient.errors import PayloadRefused, TaskFailed

CALLS: list[tuple[str, dict[str, Any]]] = [
    (
        "app.tasks.email.send_email",
        {
            "to": "ada@example.com",
            "subject": "Hello from the demo",
            "body": "Sent by name, delivered by a worker.",
            "cc": ["grace@example.com"],
            "reply_to": "team@example.com",
        },
    ),
    ("app.tasks.email.send_welcome_email", {"user": "ada@example.com", "name": "Ada"}),
    ("app.tasks.email.send_notification", {"channel": "ops", "message": "The demo is running."}),
    ("app.tasks.email.send_email", {"to": "refused@example.com", "subject": "Nobody there", "body": "..."}),
    ("app.tasks.email.send_email", {"to": "not an address", "subject": "two\nlines", "body": "..."}),
]
EXPECTED = ["SUCCESS", "SUCCESS", "SUCCESS", "PermanentError", "PayloadRefused"]
REPORT_DAY = "2013-12-30"  # the last one that has weather; without a day the report is about the last one with flights


def main() -> int:
    """Run the demo; the exit code."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.parse_args()
    end_on_signals()
    console = Console()
    folder = new_folder("demo")
    console.print("Starting Valkey, a mail server and the services ...")
    try:
        with Stack(folder) as stack:
            console.print(f"Running: {', '.join(process.name for process in stack.processes)}", soft_wrap=True)
            outcomes = _call_tasks(stack, console)
            failed = _run_nightly(stack, console)
            _show_mail(stack, console)
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    finally:
        console.print(f"Logs: {folder / 'logs'}")
    if outcomes != EXPECTED:
        console.print(f"[red]Expected {EXPECTED}, got {outcomes}")
    if failed:
        console.print(f"[red]The nightly workflow failed at {', '.join(failed)}")
    return int(bool(failed) or outcomes != EXPECTED)


def _call_tasks(stack: Stack, console: Console) -> list[str]:
    table = Table(Column("task", no_wrap=True), "queue", "service", "seconds", "result", title="Tasks, called by name")
    outcomes = []
    with stack.client() as client, Live(table, console=console, refresh_per_second=8):
        services = {entry.name: entry for entry in client.catalog()}
        for name, payload in CALLS:
            began = time.monotonic()
            outcome, detail = _call(client, name, payload)
            outcomes.append(outcome)
            entry = services[name]
            table.add_row(name, entry.queue, entry.service, f"{time.monotonic() - began:.2f}", detail)
    return outcomes


def _call(client: TaskClient, name: str, payload: dict[str, Any]) -> tuple[str, str]:
    try:
        receipt = client.send_payload(name, payload).result(timeout=20)
    except PayloadRefused as error:
        problems = "; ".join(f"{wrong['field']} {wrong['problem']}" for wrong in error.errors)
        return type(error).__name__, f"[yellow]not even sent:[/] {problems}"
    except TaskFailed as error:
        return error.error_type, f"[yellow]failed for good:[/] {error.message}"
    return "SUCCESS", f"[green]sent to[/] {', '.join(receipt['recipients'])}"


def _run_nightly(stack: Stack, console: Console) -> list[str]:
    """Run the workflow; the keys of the steps that failed."""
    console.print("\nThe nightly workflow, started by name, as beat does it at 01:00 UTC:")
    with stack.client() as client:
        end = show_run(client, client.send("app.tasks.workflows.nightly", day=REPORT_DAY), console, timeout=600)
    results = {step.key: end.records[step.id].result for step in end.steps}
    if not end.failed():
        _show_loaded(results, console)
        report = results["report"]
        for kind in ("html", "pdf", "csv"):
            console.print(f"Report: {stack.storage / report[kind]['path']}", soft_wrap=True, highlight=False)
    return [step.key for step in end.failed()]


def _show_loaded(results: dict[str, Any], console: Console) -> None:
    numbers = [Column(name, justify="right") for name in ("rows read", "loaded", "rejected")]
    table = Table("table", *numbers, title="What the etl worker did")
    for key, result in results.items():
        if key.startswith("load "):
            counts = [f"{result[name]:,}" for name in ("read", "loaded", "rejected")]
            table.add_row(key.removeprefix("load "), *counts)
    console.print(table)


def _show_mail(stack: Stack, console: Console) -> None:
    mails = stack.mailbox.wait("ada@example.com", count=2) + stack.mailbox.wait("ops@example.com", count=2)
    table = Table("to", "subject", "Message-ID", "text", title="Mail, read back from the SMTP server")
    for mail in mails:
        to = ", ".join(address["address"] for address in mail["to"])
        table.add_row(to, mail["subject"], mail["messageId"], mail["text"].strip().splitlines()[0])
    console.print()
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
