"""The tools: one for each task of the catalog that the key may send, and a few for those who look after the tasks.

They are the HTTP API's own functions, so that scopes, checks and the audit log are the same.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, Tool, ToolAnnotations
from starlette.concurrency import run_in_threadpool

from app.authentication import demand
from app.context import Context
from app.jobs import job_of
from app.keys import ApiKey, Verb
from app.mcp import arguments, dead_letters
from app.mcp.arguments import AnalyzeDeadLetters, Arguments, GetJob, QueueStats, ReplayDeadLetter
from app.mcp.names import tool_name
from app.mcp.waiting import Report, wait_for
from app.problems import Forbidden, TooManyViewers, Unsupported, told_as
from app.routes.dead_letters import replay
from app.routes.jobs import readable_name, show
from app.routes.tasks import send
from taskclient.catalog import CatalogEntry
from taskclient.contracts import near
from taskclient.errors import TaskClientError

Answer = dict[str, Any]
_READ_ONLY: Final = (
    "This server was started read-only: start it with --allow-changes to send tasks and replay dead letters."
)


@dataclass(frozen=True)
class Call:
    """One call of a tool.

    Args:
        context: the gateway's parts.
        key: whose call.
        report: gets the progress of what is waited for.
    """

    context: Context
    key: ApiKey
    report: Report


@dataclass(frozen=True)
class Fixed:
    """A tool that is there whatever tasks there are.

    Args:
        name: its name.
        description: for the model.
        arguments: what it takes.
        verb: who has no scope with it does not see the tool.
        run: does it.
        of_all: whether that scope must be over all tasks.
    """

    name: str
    description: str
    arguments: type[Arguments]
    verb: Verb
    run: Callable[[Call, Any], Awaitable[Answer]]
    of_all: bool = False

    def is_for(self, key: ApiKey) -> bool:
        """Whether a key may call it."""
        return key.may(self.verb) if self.of_all else key.may_any(self.verb)

    @property
    def tool(self) -> Tool:
        """As a client sees it."""
        return Tool(
            name=self.name,
            description=self.description,
            input_schema=self.arguments.model_json_schema(),
            annotations=ToolAnnotations(read_only_hint=self.verb == "read", open_world_hint=False),
        )


class Tools:
    """What the server offers.

    Args:
        context: the gateway's parts.
        changes: whether there are tools that change something, for keys with the scope for it.
    """

    def __init__(self, context: Context, *, changes: bool) -> None:
        self._context, self._changes = context, changes

    def listed(self, key: ApiKey) -> list[Tool]:
        """The tools for a key.

        Raises:
            BrokerUnavailable: the catalog has never been read, and cannot be now.
        """
        fixed = [one.tool for one in _FIXED.values() if one.is_for(key) and self._allows(one.verb)]
        entries = self._context.catalog.entries() if self._allows("send") else []
        return fixed + [_trigger(entry) for entry in entries if key.may("send", entry.name)]

    async def call(self, name: str, given: Mapping[str, Any], key: ApiKey, report: Report) -> Answer:
        """Do what a tool does.

        Raises:
            MCPError: there is no such tool.
            Exception: what `app.problems` knows.
        """
        call = Call(self._context, key, report)
        if fixed := _FIXED.get(name):
            self._demand_changes(fixed.verb)
            return await fixed.run(call, arguments.read(fixed.arguments, name, given))
        entry = await run_in_threadpool(self._entry_of, name)
        self._demand_changes("send")
        return await _send(call, entry, name, given)

    def _allows(self, verb: Verb) -> bool:
        return self._changes or verb == "read"

    def _demand_changes(self, verb: Verb) -> None:
        if not self._allows(verb):
            raise Forbidden(_READ_ONLY)

    def _entry_of(self, name: str) -> CatalogEntry:
        known = {tool_name(entry.name): entry for entry in self._context.catalog.entries()}
        if name not in known:
            meant = near(name, [*_FIXED, *known], "tools/list shows all.")
            raise MCPError(INVALID_PARAMS, f"There is no tool {name!r}; {meant}")
        return known[name]


def _trigger(entry: CatalogEntry) -> Tool:
    limit = f" It may run {entry.limits.hard:g} s." if entry.limits.hard else ""
    return Tool(
        name=tool_name(entry.name),
        title=entry.name,
        description=f"{entry.description}\n\nSends the task {entry.name} to the queue {entry.queue} of the service "
        f"{entry.service}, and answers with the job's id, for get_job.{limit}",
        input_schema=arguments.trigger_schema(entry),
        annotations=ToolAnnotations(read_only_hint=False, idempotent_hint=False, open_world_hint=True),
    )


async def _send(call: Call, entry: CatalogEntry, tool: str, given: Mapping[str, Any]) -> Answer:
    payload, options = arguments.split(entry, tool, given)
    if options.wait_seconds:
        demand(call.key, "read", entry.name)  # now, not when the task is sent
    key = options.idempotency_key
    sent = await _route(send, entry.name, payload, call.context, call.key, idempotency_key=key)
    if not options.wait_seconds:
        return sent
    try:
        record = await wait_for(call.context, sent["id"], options.wait_seconds, call.report)
    except (TaskClientError, TooManyViewers) as error:  # it is sent all the same, and the caller needs its id
        return sent | {"not_followed": str(error)}
    return sent | job_of(record, entry.name)


async def _get_job(call: Call, wanted: GetJob) -> Answer:
    if not wanted.wait_seconds:
        return await _route(show, wanted.id, call.context, call.key)
    name = await run_in_threadpool(readable_name, call.context, call.key, wanted.id)
    return {**job_of(await wait_for(call.context, wanted.id, wanted.wait_seconds, call.report), name)}


async def _queue_stats(call: Call, wanted: QueueStats) -> Answer:
    demand(call.key, "read")
    with told_as(Unsupported):
        states = await run_in_threadpool(call.context.client.queues, wanted.service)
    return {"queues": [asdict(state) for state in states]}


async def _analyze(call: Call, wanted: AnalyzeDeadLetters) -> Answer:
    return await run_in_threadpool(dead_letters.analyze, call.context, call.key, wanted)


async def _replay(call: Call, wanted: ReplayDeadLetter) -> Answer:
    return await _route(replay, wanted.id, call.context, call.key, wanted.service)


async def _route(route: Callable[..., Any], *given: Any, **named: Any) -> Answer:
    """What the HTTP API answers."""
    answer = await run_in_threadpool(partial(route, *given, **named))
    content: Answer = json.loads(bytes(answer.body))
    return content


_ALL: Final = (
    Fixed(
        "get_job",
        "How far a job is, by its id: status, progress, result or error. PENDING is also the answer for an id that "
        "nobody sent.",
        GetJob,
        "read",
        _get_job,
    ),
    Fixed(
        "queue_stats",
        "How full each queue is: messages that wait (depth), how long the oldest has waited, in flight, delayed, "
        "parked because no worker knows their task; and whether it is paused.",
        QueueStats,
        "read",
        _queue_stats,
        of_all=True,
    ),
    Fixed(
        "analyze_dead_letter_queue",
        "The messages that could not be run, grouped by reason, task and error, the largest group first: how many, "
        "since when, examples, the newest one's traceback and payload (texts masked), and what to do next.",
        AnalyzeDeadLetters,
        "read",
        _analyze,
    ),
    Fixed(
        "replay_dead_letter",
        "Put a dead letter's message back into its queue, under the same job id, so that it runs once more. Mend the "
        "cause first.",
        ReplayDeadLetter,
        "replay",
        _replay,
    ),
)
_FIXED: Final = {one.name: one for one in _ALL}
