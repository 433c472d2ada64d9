"""What the tools take: their JSON Schemas, and the reading of what a caller gave."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from taskclient.catalog import CatalogEntry
from taskclient.errors import FieldError, PayloadRefused
from taskclient.message import MAX_KEY_LENGTH

LONGEST_WAIT: Final = 600.0  # seconds
ArgumentsT = TypeVar("ArgumentsT", bound="Arguments")

Wait = Annotated[
    float,
    Field(
        ge=0,
        le=LONGEST_WAIT,
        allow_inf_nan=False,
        description="Seconds to wait for the job's end; its progress is notified meanwhile. 0 answers at once.",
    ),
]
Service = Annotated[str | None, Field(max_length=200, description="Only of this service, as in email.")]


class Arguments(BaseModel):
    """The arguments of a tool."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TriggerOptions(Arguments):
    """What the tool of each task takes beside the task's own payload."""

    wait_seconds: Wait = 0.0
    idempotency_key: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_KEY_LENGTH,
        description="Of all calls of this task with the same key, one runs; give one, so that you may repeat a call.",
    )


class GetJob(Arguments):
    """Which job."""

    id: str = Field(min_length=1, max_length=200, description="The job's id, as a trigger tool answers it.")
    wait_seconds: Wait = 0.0


class QueueStats(Arguments):
    """Which queues."""

    service: Service = None


class AnalyzeDeadLetters(Arguments):
    """Which dead letters."""

    service: Service = None
    task: str | None = Field(None, max_length=200, description="Only of this task; * stands for any part of its name.")
    reason: str | None = Field(None, max_length=200, description="Only those of this reason, as in failed or refused.")
    most: int = Field(1000, ge=1, le=10_000, description="How many letters to read, the newest first.")


class ReplayDeadLetter(Arguments):
    """Which dead letter."""

    id: str = Field(min_length=1, max_length=200, description="The letter's id, as analyze_dead_letter_queue shows it.")
    service: Service = None


def read(
    kind: type[ArgumentsT], tool: str, given: Mapping[str, Any], names: Mapping[str, str] | None = None
) -> ArgumentsT:
    """What a caller gave, checked.

    Args:
        kind: the arguments that the tool takes.
        tool: its name.
        given: the arguments by name.
        names: what the caller calls them, where that is another name.

    Raises:
        PayloadRefused: with every wrong field.
    """
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise PayloadRefused(tool, [_wrong(one["loc"], one["msg"], names or {}) for one in error.errors()]) from None


def trigger_schema(entry: CatalogEntry) -> dict[str, Any]:
    """The JSON Schema of a task's tool: that of the task's payload, with the options as further properties."""
    schema = {"type": "object", **entry.parameters}
    options = TriggerOptions.model_json_schema()["properties"]
    named = {name: options[option] for option, name in option_names(entry).items()}
    return {**schema, "properties": {**schema.get("properties", {}), **named}}


def option_names(entry: CatalogEntry) -> dict[str, str]:
    """What each option is called in a task's tool: underscores go before it while the task has a field of this name."""
    fields = entry.parameters.get("properties", {})
    return {option: _free(option, fields) for option in TriggerOptions.model_fields}


def split(entry: CatalogEntry, tool: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], TriggerOptions]:
    """The payload and the options in what a caller gave to a task's tool; the payload is not checked.

    Raises:
        PayloadRefused: options are wrong.
    """
    names = option_names(entry)
    options = {option: given[name] for option, name in names.items() if name in given}
    payload = {name: value for name, value in given.items() if name not in names.values()}
    return payload, read(TriggerOptions, tool, options, names)


def _free(name: str, taken: Mapping[str, Any]) -> str:
    return name if name not in taken else _free(f"_{name}", taken)


def _wrong(location: tuple[int | str, ...], problem: str, names: Mapping[str, str]) -> FieldError:
    field = ".".join(names.get(str(part), str(part)) for part in location)
    return FieldError(field=field, problem=problem)
