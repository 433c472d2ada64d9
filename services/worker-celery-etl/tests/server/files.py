"""Writes rows in every format that can be loaded."""

import csv
import io
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq

TEXTS = {"carrier", "tailnum", "origin", "dest", "time_hour"}


def as_csv(rows):
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def as_zip(rows):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("flights.csv", as_csv(rows))
    return out.getvalue()


def typed(row, texts=TEXTS):
    missing = {"NA", ""}
    return {name: None if value in missing else value if name in texts else int(value) for name, value in row.items()}


def as_json_lines(rows):
    return "\n".join(json.dumps(typed(row)) for row in rows).encode()


def as_parquet(rows, texts=TEXTS):
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([typed(row, texts) for row in rows]), out, row_group_size=700)
    return out.getvalue()


WRITERS = {"csv": as_csv, "zip": as_zip, "jsonl": as_json_lines, "parquet": as_parquet}
