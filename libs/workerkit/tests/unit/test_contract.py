"""A contract from a signature: plain typed parameters and models, every wrong field listed."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, PositiveInt

from workerkit.contract import MAX_RESULT_BYTES, Contract, IncompleteContract
from workerkit.errors import InvalidPayload, PermanentError


class Order(BaseModel):
    number: PositiveInt
    items: list[str] = []


def book(order: Order, day: date, count: Annotated[int, Field(le=10)] = 1, tags: Sequence[str] = ()) -> Order:
    return order


CONTRACT = Contract.of("app.tasks.shop.book", book, bound=False)


def problems(contract: Contract, *args: Any, **kwargs: Any) -> dict[str, str]:
    with pytest.raises(InvalidPayload) as caught:
        contract.arguments(args, kwargs)
    assert isinstance(caught.value, PermanentError)
    return {error["field"]: error["problem"] for error in caught.value.errors}


def test_json_becomes_the_declared_types():
    arguments = CONTRACT.arguments((), {"order": {"number": 7}, "day": "2013-01-01"})
    assert arguments == {"order": Order(number=7), "day": date(2013, 1, 1)}


def test_positional_arguments_get_their_names():
    assert CONTRACT.arguments(({"number": 7}, "2013-01-01"), {"count": 2})["count"] == 2


def test_every_wrong_field_is_listed_with_its_path():
    found = problems(CONTRACT, order={"number": 0, "items": [1]}, count=11, colour="red")
    assert set(found) == {"order.number", "order.items.0", "day", "count", "colour"}
    assert found["day"] == "is missing"
    assert found["colour"] == "is not a parameter of this task"


def test_an_error_does_not_hold_the_value():
    with pytest.raises(InvalidPayload) as caught:
        CONTRACT.arguments((), {"order": {"number": "hunter2"}, "day": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_too_many_positional_arguments_and_names_given_twice():
    assert "positional" in problems(CONTRACT, 1, 2, 3, 4, 5)["args"]
    assert problems(CONTRACT, {"number": 1}, order={"number": 1}, day="2013-01-01") == {"order": "is given twice"}


def test_a_bound_task_has_no_parameter_self():
    def bound(self: Any, name: str) -> None: ...

    contract = Contract.of("app.tasks.shop.bound", bound, bound=True)
    assert contract.arguments((), {"name": "x"}) == {"name": "x"}
    assert "self" in problems(contract, name="x", self=1)


def test_parameters_may_have_the_names_of_model_methods():
    def awkward(json: str, schema: str, copy: int, model_config: str) -> None: ...

    payload = {"json": "a", "schema": "b", "copy": 1, "model_config": "c"}
    assert Contract.of("app.tasks.shop.awkward", awkward, bound=False).arguments((), payload) == payload


def test_the_schema_has_types_defaults_and_what_is_required():
    schema = CONTRACT.payload_schema()
    assert schema["required"] == ["order", "day"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["count"] == {"default": 1, "maximum": 10, "title": "Count", "type": "integer"}
    assert schema["properties"]["day"]["format"] == "date"
    assert CONTRACT.result_schema()["title"] == "Order"


def test_the_result_becomes_json():
    def make() -> dict[str, UUID | date]:
        return {}

    contract = Contract.of("app.tasks.shop.make", make, bound=False)
    assert contract.dump({"day": date(2013, 1, 1)}) == {"day": "2013-01-01"}


def test_a_large_result_is_refused_with_the_way_out():
    def make() -> str:
        return ""

    contract = Contract.of("app.tasks.shop.make", make, bound=False)
    with pytest.raises(PermanentError, match="store it and return a reference"):
        contract.dump("x" * MAX_RESULT_BYTES)


def test_an_incomplete_signature_is_refused_with_all_that_is_missing():
    def vague(a, *rest: int, **more: int): ...

    with pytest.raises(IncompleteContract) as caught:
        Contract.of("app.tasks.shop.vague", vague, bound=False)
    for what in (
        "'a' has no type",
        "*rest: int accepts anything",
        "**more: int accepts anything",
        "result has no type",
    ):
        assert what in str(caught.value)
