"""Serves the tables as an outside data provider would: `python -m app.main`."""

from collections.abc import Mapping

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from app.config import Settings
from app.tables import Record, TableFile, load_files, load_records


class Provider:
    """The endpoints.

    Args:
        files: the tables by file name.
        records: by kind ("airports"), then by key ("JFK").
    """

    def __init__(self, files: Mapping[str, TableFile], records: Mapping[str, Mapping[str, Record]]) -> None:
        self._files, self._records = files, records

    async def file(self, request: Request) -> Response:
        """One table; 304 if the caller has this content already."""
        file = self._files.get(request.path_params["name"])
        if file is None:
            raise HTTPException(404, f"no such file; there are: {', '.join(self._files)}")
        if _has(request, file.etag):
            return Response(status_code=304, headers={name: file.headers[name] for name in ("ETag", "Last-Modified")})
        return FileResponse(file.path, headers=file.headers, media_type=file.headers["Content-Type"])

    async def record(self, request: Request) -> Response:
        """One record."""
        kind, key = request.path_params["kind"], request.path_params["key"]
        record = self._records.get(kind, {}).get(key)
        if record is None:
            raise HTTPException(404, f"no record {key!r} in {kind!r}")
        return JSONResponse(record)

    async def healthz(self, _request: Request) -> Response:
        """Says that the service answers."""
        return JSONResponse({"status": "ok"})


def make_app(settings: Settings) -> Starlette:
    """Read the tables and make the application."""
    provider = Provider(
        load_files(settings.folder),
        {
            "airports": load_records(settings.folder / "airports.csv", "faa"),
            "airlines": load_records(settings.folder / "airlines.csv", "carrier"),
        },
    )
    return Starlette(
        routes=[
            Route("/files/{name}", provider.file),
            Route("/api/{kind}/{key}", provider.record),
            Route("/healthz", provider.healthz),
        ],
        exception_handlers={HTTPException: _error},
    )


def _has(request: Request, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    return bool(tags & {etag, "*"})


async def _error(_request: Request, error: Exception) -> Response:
    problem = error if isinstance(error, HTTPException) else HTTPException(500)
    return JSONResponse({"error": problem.detail}, problem.status_code, headers=problem.headers)


if __name__ == "__main__":
    settings = Settings.from_environment()
    uvicorn.run(make_app(settings), host=settings.address, port=settings.port, access_log=False)
