"""Files with their headers, records with their types."""

import base64
import hashlib
from email.utils import parsedate_to_datetime

import pytest

from app.tables import load_files, load_records

AIRPORTS = "faa,name,lat,lon,alt,tz,dst,tzone\nJFK,John F Kennedy Intl,40.6,-73.7,13,-5,A,NA\n1E5,Field,,NA,0,-6,A,\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "airports.csv").write_text(AIRPORTS)
    (tmp_path / "notes.txt").write_text("none of the tables")
    return tmp_path


def test_only_tables_are_served(folder):
    assert list(load_files(folder)) == ["airports.csv"]


def test_the_headers_describe_the_content(folder):
    headers = load_files(folder)["airports.csv"].headers
    digest = hashlib.sha256(AIRPORTS.encode())
    assert headers["ETag"] == f'"{digest.hexdigest()}"'
    assert base64.b64decode(headers["Repr-Digest"].removeprefix("sha-256=:").removesuffix(":")) == digest.digest()
    assert headers["Content-Type"] == "text/csv"
    written = int((folder / "airports.csv").stat().st_mtime)
    assert parsedate_to_datetime(headers["Last-Modified"]).timestamp() == written


def test_another_content_has_another_etag(folder):
    before = load_files(folder)["airports.csv"].etag
    (folder / "airports.csv").write_text(AIRPORTS + "X,X,1,1,1,1,A,X\n")
    assert load_files(folder)["airports.csv"].etag != before


def test_a_folder_without_tables_names_the_setting(tmp_path):
    with pytest.raises(SystemExit, match="SAMPLE_DATA_FOLDER"):
        load_files(tmp_path)


def test_records_have_numbers_and_null_and_keep_their_keys(folder):
    records = load_records(folder / "airports.csv", "faa")
    assert records["JFK"]["lat"] == 40.6
    assert records["JFK"]["tz"] == -5
    assert records["JFK"]["tzone"] is None
    assert records["1E5"] == {
        "faa": "1E5", "name": "Field", "lat": None, "lon": None, "alt": 0, "tz": -6, "dst": "A", "tzone": None,
    }  # fmt: skip
