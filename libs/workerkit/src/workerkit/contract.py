"""The contract of a task, made from its signature: what payload it accepts and what it returns."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, Self, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config
from pydantic_core import to_json
from typing_extensions import TypedDict

from workerkit.errors import FieldError, InvalidPayload, PermanentError

MAX_RESULT_BYTES = 64 * 1024
_PROBLEMS = {"missing": "is missing", "extra_forbidden": "is not a parameter of this task"}


class IncompleteContract(TypeError):
    """A task's signature does not say enough to check a payload; raised when the task is defined."""


@dataclass(frozen=True)
class Contract:
    """What a task accepts and returns.

    Args:
        name: the task's name, for errors.
        parameters: the parameters' names in order.
        payload: validates keyword arguments; its errors list every wrong field.
        result: turns the returned value into JSON types.
        defaults: the values of parameters that may be left out.
    """

    name: str
    parameters: tuple[str, ...]
    payload: TypeAdapter[dict[str, Any]]
    result: TypeAdapter[Any]
    defaults: Mapping[str, Any]

    @classmethod
    def of(cls, name: str, function: Callable[..., Any], *, bound: bool) -> Self:
        """Make the contract of `function`; `bound` says that its first parameter is the task itself.

        Raises:
            IncompleteContract: a parameter or the result has no type, or a parameter is `*args` or `**kwargs`.
        """
        parameters = list(inspect.signature(function).parameters.values())[int(bound) :]
        hints = get_type_hints(function, include_extras=True)
        _refuse_incomplete(name, parameters, hints)
        fields = {p.name: _field(p, hints[p.name]) for p in parameters}
        # A TypedDict, not a model: its fields may have any name, and validating gives the keyword arguments.
        payload = with_config(ConfigDict(extra="forbid"))(TypedDict(f"{name} payload", fields))  # type: ignore[operator]
        return cls(
            name=name,
            parameters=tuple(fields),
            payload=TypeAdapter(payload),
            result=TypeAdapter(hints["return"]),
            defaults={p.name: p.default for p in parameters if p.default is not p.empty},
        )

    def arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Validate a message's arguments.

        Returns:
            Keyword arguments of the declared types; parameters that were left out are left to their defaults.

        Raises:
            InvalidPayload: with every wrong field.
        """
        try:
            return self.payload.validate_python({**self._named(args, kwargs), **kwargs})
        except ValidationError as error:
            raise self._invalid(
                [_field_error(e) for e in error.errors(include_url=False, include_input=False)]
            ) from None

    def dump(self, value: Any) -> Any:
        """Turn a task's result into JSON types.

        Raises:
            PermanentError: the result is over 64 KiB. The task did run; a retry would run it again.
        """
        data = self.result.dump_python(value, mode="json", warnings=False)
        size = len(to_json(data))
        if size > MAX_RESULT_BYTES:
            raise PermanentError(
                f"{self.name} ran, but its result of {size:,} bytes is over the limit of {MAX_RESULT_BYTES:,}: "
                "store it and return a reference to it"
            )
        return data

    def payload_schema(self) -> dict[str, Any]:
        """JSON Schema of the keyword arguments, with the defaults that are JSON."""
        schema = self.payload.json_schema()
        schema["title"] = self.name
        for name, value in self.defaults.items():
            schema["properties"][name]["default"] = TypeAdapter(Any).dump_python(value, mode="json")
        return schema

    def result_schema(self) -> dict[str, Any]:
        """JSON Schema of the result."""
        return self.result.json_schema(mode="serialization")

    def _named(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        if len(args) > len(self.parameters):
            problem = f"{len(args)} positional arguments for {len(self.parameters)} parameters"
            raise self._invalid([{"field": "args", "problem": problem}])
        named = dict(zip(self.parameters, args, strict=False))
        twice: list[FieldError] = [{"field": n, "problem": "is given twice"} for n in named if n in kwargs]
        if twice:
            raise self._invalid(twice)
        return named

    def _invalid(self, errors: list[FieldError]) -> InvalidPayload:
        problems = "; ".join(f"{e['field']}: {e['problem']}" for e in errors)
        return InvalidPayload(f"{self.name} refused its payload: {problems}", errors)


def _field(parameter: inspect.Parameter, hint: Any) -> Any:
    return hint if parameter.default is parameter.empty else NotRequired[hint]


def _field_error(error: Any) -> FieldError:
    problem = _PROBLEMS.get(error["type"], error["msg"].removeprefix("Value error, "))
    return {"field": ".".join(str(part) for part in error["loc"]), "problem": problem}


def _refuse_incomplete(name: str, parameters: Sequence[inspect.Parameter], hints: Mapping[str, Any]) -> None:
    variadic = [str(p) for p in parameters if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    untyped = [p.name for p in parameters if p.name not in hints]
    if variadic or untyped or "return" not in hints:
        missing = [f"{v} accepts anything" for v in variadic]
        missing += [f"parameter {p!r} has no type" for p in untyped]
        missing += [] if "return" in hints else ["the result has no type (write -> None if there is none)"]
        raise IncompleteContract(f"task {name}: {'; '.join(missing)}. The signature is the contract.")
