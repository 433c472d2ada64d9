"""The page of operations, `/docs`: Swagger UI on the OpenAPI document."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from fastapi import FastAPI
from starlette.responses import FileResponse

_OWN: Final = Path(__file__).parent / "api_docs"
# Swagger UI writes styles into the page, and its icons are in its style sheet.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}


def install(app: FastAPI) -> None:
    """Serve the page and its files."""
    ui = _swagger_ui()

    @app.get("/docs", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(_OWN / "index.html", headers=_HEADERS)

    @app.get("/docs/docs.js", include_in_schema=False)
    def script() -> FileResponse:
        return FileResponse(_OWN / "docs.js", headers=_HEADERS)

    @app.get("/docs/ui/{name}", include_in_schema=False)
    def part(name: Literal["swagger-ui-bundle.js", "swagger-ui.css"]) -> FileResponse:
        return FileResponse(ui / name, headers=_HEADERS)


def _swagger_ui() -> Path:
    """The folder of Swagger UI in the package that brings it; without importing that, as only its files are wanted."""
    found = find_spec("fastapi_offline")
    if found is None or found.origin is None:
        raise RuntimeError("fastapi-offline is not installed; it is in the gateway's requirements")
    return Path(found.origin).parent / "static"
