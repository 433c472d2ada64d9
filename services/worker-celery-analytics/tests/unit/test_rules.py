"""Rules: what is one, what is none, and what becomes of it in SQL."""

import pytest
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.dialects.postgresql import psycopg

from app.adapters.conditions import sql
from app.rules import MAX_CONDITIONS, MAX_DEPTH, FieldName, Rule, RuleCondition, parse_rule
from workerkit.errors import PermanentError

LATE = {"field": "dep_delay", "op": ">", "value": 30}
CONDITION = TypeAdapter(RuleCondition)


def compiled(condition):
    statement = sql(CONDITION.validate_python(condition)).compile(
        dialect=psycopg.dialect(), compile_kwargs={"render_postcompile": True}
    )
    return str(statement), list(statement.params.values())


def nested(depth):
    condition = LATE
    for _ in range(depth - 1):
        condition = {"not": condition}
    return condition


@pytest.mark.parametrize(
    ("condition", "text", "values"),
    [
        (LATE, "coalesce(CAST(flights.dep_delay AS DOUBLE PRECISION) > %(param_1)s, false)", [30.0]),
        (
            {"field": "temp", "op": "!=", "value": -1.5},
            "coalesce(CAST(weather.temp AS DOUBLE PRECISION) != %(param_1)s, false)",
            [-1.5],
        ),
        (
            {"field": "carrier", "op": "==", "value": "'; DROP TABLE flights --"},
            "coalesce(flights.carrier = %(carrier_1)s::VARCHAR, false)",
            ["'; DROP TABLE flights --"],
        ),
        (
            {"field": "origin", "op": "in", "value": ["JFK", "LGA"]},
            "coalesce(flights.origin IN (%(origin_1_1)s::VARCHAR, %(origin_1_2)s::VARCHAR), false)",
            ["JFK", "LGA"],
        ),
        (
            {"field": "wind_gust", "op": "missing", "value": True},
            "coalesce(CAST(weather.wind_gust AS DOUBLE PRECISION) IS NULL, false)",
            [],
        ),
        (
            {"field": "tailnum", "op": "missing", "value": False},
            "coalesce(flights.tailnum IS NOT NULL, false)",
            [],
        ),
    ],
)
def test_a_comparison_binds_its_value_and_is_never_null(condition, text, values):
    assert compiled(condition) == (text, values)


def test_all_any_and_not():
    a, b, c = ({"field": "carrier", "op": "==", "value": value} for value in "abc")
    text, values = compiled({"all": [a, {"not": {"any": [b, c]}}]})
    equal = "coalesce(flights.carrier = %(carrier_{})s::VARCHAR, false)".format
    assert text == f"{equal(1)} AND NOT ({equal(2)} OR {equal(3)})"
    assert values == ["a", "b", "c"]


@pytest.mark.parametrize("field", FieldName.__args__)
def test_every_field_has_a_column(field):
    text, _ = compiled({"field": field, "op": "missing", "value": True})
    assert f".{field}" in text


@pytest.mark.parametrize("operator", ["==", "!=", "<", "<=", ">", ">="])
def test_every_operator_of_a_number(operator):
    text, _ = compiled({**LATE, "op": operator})
    assert f" {'=' if operator == '==' else operator} " in text


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({**LATE, "field": "arr_delay"}, "field: Input should be 'carrier', .*'dep_delay', .*'wind_speed'"),
        ({**LATE, "op": "like"}, "op: Input should be '==', '!=', '<', '<=', '>', '>=', 'in' or 'missing'"),
        ({**LATE, "value": "30"}, "dep_delay > takes a number as value"),
        ({**LATE, "value": True}, "dep_delay > takes a number as value"),
        ({**LATE, "value": [30]}, "dep_delay > takes a number as value"),
        ({**LATE, "value": None}, "must be a number, a text, true or false, or a list"),
        ({**LATE, "value": {"a": 1}}, "must be a number, a text, true or false, or a list"),
        ({**LATE, "value": float("nan")}, "finite number"),
        ({**LATE, "value": 10**400}, "number"),
        ({**LATE, "op": "in", "value": 30}, "dep_delay in takes a list of numbers as value"),
        ({**LATE, "op": "in", "value": []}, "at least 1 item"),
        ({**LATE, "op": "in", "value": [1] * 101}, "at most 100 items"),
        ({**LATE, "op": "in", "value": [1, "2"]}, "valid number"),
        ({**LATE, "op": "missing", "value": 1}, "dep_delay missing takes true or false as value"),
        ({"field": "carrier", "op": ">", "value": "AA"}, "carrier is a text, which has the operators ==, !=, in"),
        ({"field": "carrier", "op": "==", "value": 1}, "carrier == takes a text as value"),
        ({"field": "carrier", "op": "==", "value": "a\0"}, "NUL"),
        ({"field": "carrier", "op": "==", "value": "\ud800"}, "unicode"),
        ({"field": "carrier", "op": "==", "value": "x" * 101}, "at most 100 characters"),
        ({"field": "dep_delay", "op": ">"}, "value: Field required"),
        ({**LATE, "unit": "minutes"}, "unit: Extra inputs are not permitted"),
        ({"all": []}, "at least 1 item"),
        ({"all": LATE}, "all.all: Input should be a valid list"),
        ({"any": [LATE, 7]}, "any.1: must be an object with field, op and value, or with one of all, any and not"),
        ({"any": [LATE], "all": [LATE]}, "any: Extra inputs are not permitted"),
        ({"not": [LATE]}, "must be an object with field"),
        ({"when": LATE, "late_minutes": 0}, "late_minutes: Input should be greater than or equal to 1"),
        ({}, "when: Field required"),
        ([LATE], "valid dictionary or instance of Rule"),
        ("DROP TABLE flights", "valid dictionary or instance of Rule"),
    ],
)
def test_what_is_no_rule_is_refused_for_good_with_what_is_allowed(wrong, problem):
    with pytest.raises(PermanentError, match=rf"^the filter's rule is wrong: .*{problem}.*create_filter$"):
        parse_rule(wrong)


@pytest.mark.parametrize(
    "large",
    [
        nested(MAX_DEPTH + 1),
        nested(5_000),
        {"all": [LATE] * MAX_CONDITIONS},
        {"any": [{"all": [LATE] * 50}, {"all": [LATE] * 50}]},
    ],
)
def test_a_rule_has_limits(large):
    with pytest.raises(PermanentError, match="100 conditions at most, 10 within each other at most"):
        parse_rule(large)


def test_a_rule_within_the_limits():
    assert compiled(nested(MAX_DEPTH))[1] == [30.0]
    assert len(compiled({"all": [LATE] * (MAX_CONDITIONS - 1)})[1]) == MAX_CONDITIONS - 1


def test_what_is_stored_is_read_again():
    rule = Rule(when=CONDITION.validate_python({"all": [{"not": LATE}, {"any": [LATE]}]}), late_minutes=45)
    assert rule.model_dump(mode="json") == {"when": {"all": [{"not": LATE}, {"any": [LATE]}]}, "late_minutes": 45}
    assert parse_rule(rule.model_dump(mode="json")) == rule


def test_a_bare_condition_means_30_minutes():
    assert parse_rule({"any": [LATE]}) == parse_rule({"when": {"any": [LATE]}, "late_minutes": 30})


def test_the_contract_tells_callers_the_fields_and_that_conditions_nest():
    schema = CONDITION.json_schema()
    assert "wind_speed" in schema["$defs"]["Comparison"]["properties"]["field"]["enum"]
    assert schema["$defs"]["All"]["properties"]["all"]["items"] == {"oneOf": schema["oneOf"]}


def test_a_refusal_does_not_repeat_the_value():
    with pytest.raises(ValidationError) as refusal:
        CONDITION.validate_python({**LATE, "value": "secret"})
    assert "secret" not in refusal.value.errors()[0]["msg"]
