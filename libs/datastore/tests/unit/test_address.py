"""Where the database is: from the environment, from files, never with a secret in an error."""

from pathlib import Path

import pytest

from datastore.address import InvalidAddress, database_url

URL = "postgresql://app@db:5432/app"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_any_postgresql_url_is_one_for_psycopg(tmp_path: Path, scheme):
    found = database_url({"DATABASE_URL": f"{scheme}://app:secret@db:5432/app"}, tmp_path)
    assert found.render_as_string(hide_password=False) == "postgresql+psycopg://app:secret@db:5432/app"


def test_the_password_stands_apart_as_it_is(tmp_path: Path):
    assert database_url({"DATABASE_URL": URL, "DATABASE_PASSWORD": "a/b@%"}, tmp_path).password == "a/b@%"


def test_a_url_with_a_password_keeps_it(tmp_path: Path):
    both = {"DATABASE_URL": "postgresql://app:own@db/app", "DATABASE_PASSWORD": "other"}
    assert database_url(both, tmp_path).password == "own"


def test_files_stand_in_for_variables_and_the_environment_outranks_them(tmp_path: Path):
    (tmp_path / "database_url").write_text(f"{URL}\n")
    (tmp_path / "database_password").write_text("from a file\n")
    assert database_url({}, tmp_path).password == "from a file"
    assert database_url({"DATABASE_PASSWORD": "from outside"}, tmp_path).password == "from outside"


@pytest.mark.parametrize(
    "wrong", ["", "secret", "redis://:secret@db/0", "postgresql://a:secret@db", "postgresql://a:secret@db:x/n"]
)
def test_an_error_names_the_variable_and_its_form_but_not_its_value(tmp_path: Path, wrong):
    with pytest.raises(InvalidAddress, match=r"DATABASE_URL.*postgresql://user@host:5432/name") as caught:
        database_url({"DATABASE_URL": wrong}, tmp_path)
    assert "secret" not in str(caught.value)


def test_production_refuses_the_password_for_development(tmp_path: Path):
    settings = {"DATABASE_URL": URL, "DATABASE_PASSWORD": "development"}
    assert database_url({**settings, "ENVIRONMENT": "development"}, tmp_path).password == "development"
    with pytest.raises(InvalidAddress, match="DATABASE_PASSWORD is still the one for development"):
        database_url({**settings, "ENVIRONMENT": "production"}, tmp_path)
