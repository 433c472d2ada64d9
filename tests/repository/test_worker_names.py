"""The spellings of a new worker's name, and the names that are refused."""

import re
from pathlib import Path

import pytest
from worker_names import BadPurpose, Purpose, rendered

from devstack.services import ROOT

EXAMPLE = ROOT / "scripts" / "example_worker"


def test_four_spellings():
    purpose = Purpose.parse("billing-eu2")
    assert (purpose.hyphen, purpose.snake, purpose.camel) == ("billing-eu2", "billing_eu2", "BillingEu2")
    assert purpose.spell("ExampleProcessor example_limit EXAMPLE_LIMIT") == (
        "BillingEu2Processor billing_eu2_limit BILLING_EU2_LIMIT"
    )
    assert purpose.spell("the example worker in worker-celery-example") == (
        "the billing-eu2 worker in worker-celery-billing-eu2"
    )


@pytest.mark.parametrize("text", ["billing", "pdf-2024", "oauth2", "calendar", "logging", "test", "email", "match"])
def test_names_of_modules_of_the_standard_library_and_digits_are_fine(text):
    assert Purpose.parse(text).service == f"worker-celery-{text}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("class", "Python keyword.*try class-jobs"),
        ("3d", "a letter first"),
        ("Billing", "lower-case"),
        ("billing_eu", "hyphens"),
        ("billing-", "hyphens"),
        ("-billing", "a letter first"),
        ("bill--ing", "hyphens"),
        ("../etc", "lower-case"),
        ("a b", "lower-case"),
        ("", "lower-case"),
        ("x" * 31, "31 characters"),
        ("größe", "lower-case"),
    ],
)
def test_other_names_are_refused_with_the_reason(text, why):
    with pytest.raises(BadPurpose, match=why):
        Purpose.parse(text)


def test_its_redis_user_and_password_are_in_the_compose_file():
    purpose = Purpose.parse("billing-eu2")
    assert "      REDIS_USER: billing-eu2\n" in purpose.compose_entry
    assert "REDIS_PASSWORD: ${REDIS_PASSWORD_BILLING_EU2:-${REDIS_PASSWORD:-development}}\n" in purpose.compose_entry
    assert purpose.compose_password == "      REDIS_PASSWORD_BILLING_EU2: ${REDIS_PASSWORD_BILLING_EU2:-}\n"


def test_the_word_example_is_nowhere_left():
    for path, text in rendered(Purpose.parse("billing-eu2")).items():
        assert "example" not in f"{path}\n{text}".lower(), path


def test_the_example_is_a_service_like_the_others():
    email = (ROOT / "services" / "worker-celery-email" / "Dockerfile").read_text()
    example = (EXAMPLE / "Dockerfile").read_text()
    assert example == email.replace("worker-celery-email", "worker-celery-example").replace("the email", "the example")
    own = {path.relative_to(EXAMPLE) for path in EXAMPLE.rglob("*") if path.is_file()}
    assert {Path("README.md"), Path("requirements.in"), Path("requirements.txt"), Path("app/celery_app.py")} <= own
    assert re.search(r"^celery==", (EXAMPLE / "requirements.txt").read_text(), re.MULTILINE)
