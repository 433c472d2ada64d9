"""The dashboard in a real browser, served by a real gateway, with a real worker behind it."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Error, expect

from devstack.browser import Complaints, NoBrowser, browser, chromium
from devstack.gateway import GatewayProcess
from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.client import TaskClient

HERE = Path(__file__).parent
SCOPES = {
    "operator": ["*"],
    "reader": ["read"],
    "sender": ["send:app.tasks.orders.*"],
    "former": ["read"],
}
PATIENCE = 20_000  # ms until something that does not come is a failure
expect.set_options(timeout=PATIENCE)
WAITING = 40  # messages in the paused queue
NO_COMPLAINTS = (
    "error: Failed to load resource: the server responded with a status of 4",  # Chromium's line about a 4xx
    "error: Failed to load resource: net::ERR_NETWORK_CHANGED",  # of the machine, as when a container starts
)


@pytest.fixture(scope="module")  # not longer: while Playwright is there, no other event loop runs in this thread
def chrome():
    try:
        chromium()
    except NoBrowser as error:
        if os.environ.get("CI"):
            pytest.fail(f"{error} In CI that is a failure.")
        pytest.skip(str(error))
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(module_valkey, tmp_path_factory):
    with GatewayProcess(module_valkey, tmp_path_factory.mktemp("gateway"), scopes=SCOPES) as running:
        yield running


@pytest.fixture(scope="module")
def worker(module_valkey, tmp_path_factory):
    folder = tmp_path_factory.mktemp("worker")
    settings = {"CELERYCONFIG_WORKER_CONCURRENCY": "3"}
    with WorkerProcess(module_valkey, HERE / "shop", "shop_app", folder=folder, settings=settings) as running:
        yield running


@pytest.fixture(scope="module")
def client(module_valkey, worker):
    with TaskClient(module_valkey.url) as made:
        wait_for(lambda: len({entry.queue for entry in made.catalog()}) == 3)
        yield made


@pytest.fixture(scope="module")
def busy(module_valkey, client):
    """A paused queue with a backlog, dead letters, a job that runs long; gives that job's handle."""
    client.pause("images")
    client.send_many("app.tasks.images.resize", [{"path": f"{n}.png", "width": 200} for n in range(WAITING)])
    for order in range(2):
        client.send("app.tasks.mail.send_receipt", to=f"customer{order}@example.com", order=order)
    with TaskClient(module_valkey.url, check=False) as careless:
        careless.send("app.tasks.mail.send_receipt", to="customer2@example.com", order="the second")
    export = client.send("app.tasks.orders.export", rows=5_000, seconds=0.05)
    wait_for(lambda: client.dead_letters().count() == 3 and export.record().status == "PROGRESS")
    yield export
    client.cancel(export.id)


def opened(chrome, gateway, key, **options):
    """The dashboard, in a browser that has signed in by a key, and what its page complains of."""
    sign_in = {"username": "anybody", "password": gateway.secrets[key]}
    context = chrome.new_context(viewport={"width": 1440, "height": 1000}, http_credentials=sign_in, **options)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    complaints = Complaints(page)
    load(page, lambda: page.goto(gateway.url), f"#change-key:text-is('Key: {key}')")
    return page, complaints


def load(page, go, shown):
    """Load a page until something is shown; again if the machine's network has changed, as Chromium gives up then."""
    for last in (False, False, True):
        try:
            go()
            page.locator(shown).first.wait_for(timeout=PATIENCE / 2)
        except Error:
            if last:
                raise
        else:
            return


def check(complaints):
    """No errors, and no breach of the page's policy; a refused request is none."""
    assert [text for text in complaints.found if not text.startswith(NO_COMPLAINTS)] == []


@pytest.fixture
def open_page(chrome, gateway):
    """Opens a dashboard of its own."""
    pages = []

    def open_one(key, **options):
        pages.append(opened(chrome, gateway, key, **options))
        return pages[-1][0]

    yield open_one
    for page, complaints in pages:
        page.context.close()
        check(complaints)


@pytest.fixture(scope="module")
def operator(chrome, gateway, busy):
    page, complaints = opened(chrome, gateway, "operator")
    yield page, complaints
    page.context.close()


@pytest.fixture
def page(operator):
    """The dashboard of one who may do everything, loaded anew."""
    page, complaints = operator
    complaints.found.clear()
    load(page, page.reload, ".queue")
    yield page
    check(complaints)
