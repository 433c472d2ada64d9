"""The rules of backtests: conditions on what is known of a flight and its weather when it departs, as JSON.

A condition is `{"field": "dep_delay", "op": ">", "value": 30}`, or `{"all": [...]}`, `{"any": [...]}`, `{"not": ...}`
of others. A comparison with a missing value is false, whatever the operator, so its `not` is true; the operator
`missing` asks for missing values.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)

from workerkit.errors import PermanentError

MAX_DEPTH = 10  # conditions within each other
MAX_CONDITIONS = 100
MAX_VALUES = 100  # of one `in`
LATE_MINUTES = 30

# What is known when the flight departs: a rule that looked at its arrival would foretell nothing.
TextField = Literal["carrier", "dest", "origin", "tailnum"]
NumberField = Literal[
    "dep_delay", "dep_time", "distance", "flight", "sched_arr_time", "sched_dep_time",
    "dewp", "humid", "precip", "pressure", "temp", "visib", "wind_dir", "wind_gust", "wind_speed",
]  # fmt: skip
FieldName = Literal[TextField, NumberField]
Operator = Literal["==", "!=", "<", "<=", ">", ">=", "in", "missing"]
_TEXT_OPERATORS = ("==", "!=", "in", "missing")


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain a NUL, which PostgreSQL's text cannot hold")
    return text


Text = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=100), AfterValidator(_storable)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
LateMinutes = Annotated[int, Field(ge=1, le=1440, description="a flight is late from this arrival delay on")]


def _kind_of_value(value: Any) -> str | None:
    if isinstance(value, list):
        return "texts" if value and isinstance(value[0], str) else "numbers"
    kinds = {bool: "flag", str: "text", int: "number", float: "number"}
    return kinds.get(type(value))


Value = Annotated[
    Annotated[StrictBool, Tag("flag")]
    | Annotated[Number, Tag("number")]
    | Annotated[Text, Tag("text")]
    | Annotated[list[Number], Field(min_length=1, max_length=MAX_VALUES), Tag("numbers")]
    | Annotated[list[Text], Field(min_length=1, max_length=MAX_VALUES), Tag("texts")],
    Discriminator(
        _kind_of_value,
        custom_error_type="value",
        custom_error_message="must be a number, a text, true or false, or a list of numbers or of texts",
    ),
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)


class Comparison(_Part):
    """One field against one value: a number or text as the field is, a list of them for `in`, a flag for `missing`."""

    field: FieldName
    op: Operator
    value: Value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        is_text = self.field in get_args(TextField)
        if is_text and self.op not in _TEXT_OPERATORS:
            raise ValueError(f"{self.field} is a text, which has the operators {', '.join(_TEXT_OPERATORS)}")
        expected = {"missing": "flag", "in": "texts" if is_text else "numbers"}.get(
            self.op, "text" if is_text else "number"
        )
        if _kind_of_value(self.value) != expected:
            raise ValueError(f"{self.field} {self.op} takes {_WORDS[expected]} as value")
        return self


_WORDS = {
    "flag": "true or false",
    "number": "a number",
    "text": "a text",
    "numbers": "a list of numbers",
    "texts": "a list of texts",
}


class All(_Part):
    """True if all conditions are."""

    all: Annotated[list["Condition"], Field(min_length=1)]


class AnyOf(_Part):
    """True if at least one condition is."""

    any: Annotated[list["Condition"], Field(min_length=1)]


class Not(_Part):
    """True if the condition is false."""

    condition: "Condition" = Field(alias="not")


def _kind_of_condition(condition: Any) -> str | None:
    if isinstance(condition, Mapping):
        return next((kind for kind in ("field", "all", "any", "not") if kind in condition), None)
    kinds: dict[type, str] = {Comparison: "field", All: "all", AnyOf: "any", Not: "not"}
    return kinds.get(type(condition))


Condition = Annotated[
    Annotated[Comparison, Tag("field")]
    | Annotated[All, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[Not, Tag("not")],
    Discriminator(
        _kind_of_condition,
        custom_error_type="condition",
        custom_error_message="must be an object with field, op and value, or with one of all, any and not",
    ),
]
for _model in (All, AnyOf, Not):
    _model.model_rebuild()


def _within_limits(condition: Any) -> Any:
    """Refuse before parsing what would parse too long or too deep."""
    count, todo = 0, [(condition, 1)]
    while todo:
        part, depth = todo.pop()
        count += 1
        if depth > MAX_DEPTH or count > MAX_CONDITIONS:
            raise ValueError(
                f"is too large: {MAX_CONDITIONS} conditions at most, {MAX_DEPTH} within each other at most"
            )
        todo += [(inner, depth + 1) for inner in _inner(part)]
    return condition


def _inner(part: Any) -> list[Any]:
    if not isinstance(part, Mapping):
        return []
    lists = [part[kind] for kind in ("all", "any") if isinstance(part.get(kind), list)]
    return [*(inner for found in lists for inner in found), *([part["not"]] if "not" in part else [])]


RuleCondition = Annotated[Condition, BeforeValidator(_within_limits)]


class Rule(_Part):
    """What a filter's row holds: flights that fit `when` are taken for ones that arrive `late_minutes` late or more.

    A bare condition stands for a rule with 30 minutes.
    """

    when: RuleCondition
    late_minutes: LateMinutes = LATE_MINUTES

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, data: Any) -> Any:
        return {"when": data} if isinstance(data, Mapping) and _kind_of_condition(data) else data


def parse_rule(data: Any) -> Rule:
    """Read a rule as it is stored.

    Raises:
        PermanentError: it is none; the message has every problem and what is allowed instead.
    """
    try:
        return Rule.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}" for e in found)
        raise PermanentError(f"the filter's rule is wrong: {problems}. Correct it by create_filter") from None
