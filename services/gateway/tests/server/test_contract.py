"""Whatever is sent to any operation of the OpenAPI document: never a 5xx, and nothing that it does not say."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("worker")


def test_no_request_makes_the_gateway_fail(gateway, tmp_path):
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", f"{gateway.url}/openapi.json",
        "--header", f"Authorization: {gateway.headers('all')['Authorization']}", "--checks", checks,
        "--exclude-path-regex", "/events$",  # a stream has no end
        "--phases", "coverage,fuzzing", "--max-examples", "8", "--max-time", "20",
        "--generation-deterministic", "--warnings", "off", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert gateway.is_healthy()
