"""Nothing without a key, nothing beyond its scopes, nothing faster than its rate; every change is on record."""

import asyncio
import base64

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from devstack.gateway import GatewayProcess
from devstack.process import NotReady

ORDER = "/tasks/app.tasks.clerk.order"
GOOD = {"customer": "ada@example.com", "lines": [{"item": "tea", "count": 2}]}

PATHS = [
    ("POST", ORDER), ("GET", "/jobs/x"), ("DELETE", "/jobs/x"), ("GET", "/jobs"), ("GET", "/jobs/x/events"),
    ("GET", "/catalog"), ("GET", "/catalog/x"), ("GET", "/openapi.json"), ("GET", "/asyncapi.json"),
    ("GET", "/dead-letters"), ("GET", "/dead-letters/x"), ("POST", "/dead-letters/x/replay"),
    ("DELETE", "/dead-letters/x"), ("GET", "/queues"), ("POST", "/queues/clerk/pause"),
    ("POST", "/queues/clerk/resume"), ("GET", "/workers"), ("GET", "/schedules"), ("POST", "/schedules/x/run"),
    ("GET", "/metrics"), ("POST", "/tickets"), ("GET", "/mcp"), ("GET", "/nothing"), ("GET", "/healthz/"),
    ("GET", "/"), ("GET", "/static/js/main.js"), ("GET", "/static/css/theme.css"), ("GET", "/static/icon.svg"),
    ("POST", "/static"), ("GET", "/docs"), ("GET", "/docs/docs.js"), ("GET", "/docs/ui/swagger-ui.css"),
    ("GET", "/docs/ui/swagger-ui-bundle.js"), ("GET", "/key"), ("GET", "/overview"), ("GET", "/overview/events"),
    ("GET", "/healthz/x"),
]  # fmt: skip
NAVIGATION = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}  # as a browser asks for a page

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(scope="module")
def stranger(gateway):
    with httpx.Client(base_url=gateway.url) as client:
        yield client


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"X-API-Key": "wrong"}, {"Authorization": "Basic ???"}, {"X-API-Key": ""}],
)
def test_without_a_key_nothing(stranger, method, path, headers):
    answer = stranger.request(method, path, headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().keys() == {"title", "status", "detail"}


@pytest.mark.parametrize("path", ["/", "/docs", "/static/js/main.js", "/catalog", "/nothing"])
def test_a_browser_is_made_to_ask_for_the_key(gateway, stranger, path):
    refused = stranger.get(path, headers=NAVIGATION)
    assert (refused.status_code, refused.json()["title"]) == (401, "Unauthorized")
    assert refused.headers["www-authenticate"].startswith('Basic realm="any user name, an API key as password"')
    assert stranger.get(path, headers=NAVIGATION, auth=("anybody", "wrong")).status_code == 401
    assert stranger.get(path, headers=NAVIGATION, auth=("anybody", gateway.secrets["reader"])).status_code != 401
    assert stranger.post(path, headers=NAVIGATION).headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("query", "site"), [("", None), ("?ticket=wrong", None), ("", "same-origin")])
def test_no_socket_without_a_key_or_by_password(gateway, query, site):
    password = base64.b64encode(f"anybody:{gateway.secrets['all']}".encode()).decode()
    headers = {"Authorization": f"Basic {password}", "Sec-Fetch-Site": site} if site else {}

    async def run():
        async with connect(f"ws://127.0.0.1:{gateway.port}/jobs/x/events{query}", additional_headers=headers):
            pass

    with pytest.raises(InvalidStatus) as refused:
        asyncio.run(run())
    assert refused.value.response.status_code == 401


def test_health_is_open(stranger):
    answer = stranger.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "redis": True})


@pytest.mark.parametrize("path", ["/docs", "/docs/docs.js", "/docs/ui/swagger-ui-bundle.js", "/docs/ui/swagger-ui.css"])
def test_the_page_of_operations_trusts_only_its_own_scripts(as_, path):
    answer = as_("reader").get(path)
    assert (answer.status_code, "script-src 'self'" in answer.headers["content-security-policy"]) == (200, True)


def test_no_file_beside_the_page_is_served(everyone):
    for path in ("/docs/ui/redoc.standalone.js", "/docs/%2e%2e/main.py", "/docs/ui/..%2f..%2fkeys.py", "/docs/main.py"):
        assert everyone.get(path).status_code in {404, 422}


@pytest.mark.parametrize("headers", ["bearer", "header", "basic"])
def test_three_ways_to_send_a_key(gateway, stranger, headers):
    secret = gateway.secrets["reader"]
    ways = {
        "bearer": {"headers": {"Authorization": f"bearer {secret}"}},
        "header": {"headers": {"X-API-Key": secret}},
        "basic": {"auth": ("anybody", secret)},
    }
    assert stranger.get("/catalog", **ways[headers]).status_code == 200


@pytest.mark.parametrize("path", ["/", "/static/js/main.js", "/static/css/theme.css", "/static/icon.svg", "/docs"])
def test_a_password_opens_the_pages(gateway, stranger, path):
    assert stranger.get(path, auth=("anybody", gateway.secrets["reader"])).status_code == 200


@pytest.mark.parametrize(
    ("site", "origin", "status"),
    [
        (None, None, 401), ("cross-site", None, 401), ("same-site", None, 401), ("none", None, 401),
        ("same-origin", None, 202), (None, "http://{}", 202), (None, "http://{}.example", 401), (None, "null", 401),
        (None, "{}", 401), ("cross-site", "http://{}", 401),
    ],
)  # fmt: skip
def test_a_password_that_a_browser_adds_is_of_no_use_to_other_sites(gateway, stranger, site, origin, status):
    said = {"Sec-Fetch-Site": site, "Origin": origin and origin.format(f"127.0.0.1:{gateway.port}")}
    headers = {name: value for name, value in said.items() if value}
    answer = stranger.post(ORDER, json=GOOD, headers=headers, auth=("anybody", gateway.secrets["sender"]))
    assert answer.status_code == status
    assert status == 202 or "X-API-Key" in answer.json()["detail"]


def test_a_key_that_a_page_sends_counts_more_than_the_password_that_the_browser_adds(gateway, stranger, everyone):
    def own_id(**sent):
        answer = stranger.get("/key", auth=("anybody", gateway.secrets["reader"]), **sent)
        return answer.json().get("id", answer.status_code)

    assert own_id() == "reader"
    assert own_id(headers={"X-API-Key": gateway.secrets["sender"]}) == "sender"
    assert own_id(headers={"X-API-Key": "wrong"}) == 401
    assert own_id(params={"ticket": everyone.post("/tickets").json()["ticket"]}) == "all"


@pytest.mark.parametrize(
    ("key_id", "method", "path", "status"),
    [
        ("orders", "POST", ORDER, 202),
        ("orders", "POST", "/tasks/app.tasks.clerk.echo", 403),
        ("orders", "POST", "/tasks/app.tasks.email.send_email", 403),
        ("orders", "GET", "/catalog/app.tasks.clerk.order", 200),
        ("orders", "GET", "/catalog/app.tasks.clerk.echo", 403),
        ("orders", "GET", "/jobs/of-somebody-else", 403),
        ("orders", "GET", "/jobs/of-somebody-else/events", 403),
        ("orders", "GET", "/dead-letters", 403),
        ("reader", "POST", ORDER, 403),
        ("reader", "GET", "/jobs/x", 200),
        ("sender", "GET", "/jobs/x", 403),
        ("sender", "POST", ORDER, 202),
    ],
)
def test_no_further_than_the_scopes(as_, key_id, method, path, status):
    answer = as_(key_id).request(method, path, json=GOOD)
    assert answer.status_code == status
    assert status != 403 or f"The key {key_id} has no scope" in answer.json()["detail"]


def test_a_key_sees_the_tasks_and_jobs_of_its_scopes_only(as_, everyone):
    own, other = everyone.post(ORDER, json=GOOD).json(), everyone.post("/tasks/app.tasks.clerk.echo", json={"value": 1})
    client = as_("orders")
    assert [entry["name"] for entry in client.get("/catalog").json()] == ["app.tasks.clerk.order"]
    paths = client.get("/openapi.json").json()["paths"]
    assert [path for path in paths if path.startswith("/tasks/")] == [ORDER]
    assert client.get("/asyncapi.json").json()["operations"].keys() == {"app.tasks.clerk.order", "events"}
    assert client.get(f"/jobs/{own['id']}").status_code == 200
    assert client.get(other.headers["location"]).status_code == 403


def test_a_key_is_let_in_as_often_as_it_may(as_):
    answers = [as_("slow").get("/catalog") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 100


def test_changes_are_on_record_and_secrets_are_not(gateway, as_, everyone):
    job_id = everyone.post(ORDER, json=GOOD).json()["id"]
    as_("reader").post(ORDER, json=GOOD)
    audit = [line for line in gateway.records() if line["event"] == "audit"]
    task = "app.tasks.clerk.order"
    wanted = {"key": "all", "verb": "send", "object": task, "outcome": "done", "job": job_id}
    assert any(line.items() >= wanted.items() for line in audit)
    wanted = {"key": "reader", "verb": "send", "object": task, "outcome": 403}
    assert any(line.items() >= wanted.items() for line in audit)
    text = gateway.log.read_text()
    assert [key_id for key_id, secret in gateway.secrets.items() if secret in text] == []
    assert "ada@example.com" not in text


def test_every_answer_has_the_security_headers(stranger, everyone):
    for answer in (everyone.get("/catalog"), stranger.get("/catalog"), everyone.get("/nothing")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


def test_production_does_not_start_without_a_key(valkey, tmp_path):
    refused = GatewayProcess(valkey, tmp_path, scopes={}, settings={"GATEWAY_KEYS_FILE": "", "GATEWAY_KEY": "mine"})
    with pytest.raises(NotReady, match="GATEWAY_KEYS is missing"), refused:
        pass


def test_a_ticket_is_good_once(gateway, stranger, everyone):
    def use(ticket):
        return stranger.get("/catalog", params={"ticket": ticket}).status_code

    ticket = everyone.post("/tickets").json()["ticket"]
    assert (use(ticket), use(ticket)) == (200, 401)
    assert ticket not in gateway.log.read_text()
