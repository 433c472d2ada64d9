"""`python -m workerkit.contracts`, in a service's folder: prints its contract.json, and connects to nothing."""

import importlib
import sys
from pathlib import Path

from taskclient.contract_file import dump_contract
from workerkit.catalog import Catalog


def main() -> None:
    """Print the contracts of the service whose `app` package is in the working directory."""
    sys.path.insert(0, str(Path.cwd()))
    app = importlib.import_module("app.celery_app").app
    app.loader.import_default_modules()
    app.finalize()
    catalog: Catalog = app.catalog
    sys.stdout.write(dump_contract(catalog.service, catalog.entries(), owner=catalog.owner, major=catalog.major))


if __name__ == "__main__":
    main()
