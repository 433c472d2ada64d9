"""What an operator sees and does: queues, running jobs, dead letters, schedules, and tasks sent by their forms."""

import json
import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Error, expect

from devstack.waiting import wait_for

WAITING = 40  # as in conftest.py
HTML = "<img src=x onerror=alert(1)>"


def queue(page, name):
    return page.locator(".queue").filter(has=page.get_by_role("heading", name=name, exact=True))


def row(page, listed, text):
    return page.locator(f"#{listed} > li").filter(has_text=text).first


def choose(page, task):
    page.locator("#task").select_option(task)
    return page.get_by_role("form", name="Payload")


def fill_order(form, email="ada@example.com"):
    form.get_by_label("name", exact=True).fill("Ada")
    form.get_by_label("email").fill(email)
    form.get_by_label("item").fill("tea")
    form.get_by_label("count").fill("2")


def give(page, key):
    page.get_by_role("button", name="Key: ").click()
    page.locator("#key-input").fill(key)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_without_a_key_there_is_no_page(chrome, gateway, path):
    wrong = {"username": "anybody", "password": "wrong"}
    with chrome.new_context() as stranger, pytest.raises(Error, match="ERR_INVALID_AUTH_CREDENTIALS"):
        stranger.new_page().goto(gateway.url + path)  # Chromium asks, and nobody answers
    with chrome.new_context(http_credentials=wrong) as stranger:
        page = stranger.new_page()
        page.goto(gateway.url + path)
        expect(page.get_by_text("There is no API key, or none that the gateway knows.")).to_be_visible()
        assert page.locator("main, script, link").count() == 0


def test_a_tab_may_have_another_key(open_page, gateway, busy):
    page = open_page("sender")
    give(page, gateway.secrets["operator"])
    expect(page.get_by_role("button", name="Key: operator")).to_be_visible()
    page.locator(".queue").first.wait_for()
    page.reload()
    expect(page.get_by_role("button", name="Key: operator")).to_be_visible()
    assert page.evaluate("[sessionStorage.length, JSON.stringify(localStorage)]") == [1, "{}"]
    give(page, gateway.secrets["sender"])
    expect(page.get_by_role("button", name="Key: sender")).to_be_visible()
    expect(page.locator(".queue")).to_have_count(0)


def test_a_wrong_key_is_given_up_for_the_browsers_own(open_page, gateway):
    page = open_page("reader")
    give(page, "wrong \N{EURO SIGN}")
    expect(page.locator("#key-problem")).to_contain_text("There is no API key, or none that the gateway knows.")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Key: reader")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0
    page.get_by_role("button", name="Key: reader").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Another API key")).to_be_hidden()
    expect(page.get_by_role("button", name="Key: reader")).to_be_visible()


def test_a_key_that_is_taken_back_shows_nothing_new(open_page, gateway, busy):
    page = open_page("former")
    page.locator(".queue").first.wait_for()
    file = Path(gateway.env["GATEWAY_KEYS_FILE"])
    file.write_text("\n".join(line for line in file.read_text().splitlines() if '"former"' not in line))
    wait_for(lambda: httpx.get(f"{gateway.url}/key", headers=gateway.headers("former")).status_code == 401)
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("dialog", name="Another API key")).to_be_visible()
    expect(page.locator("#live-text")).to_have_text("not connected")
    page.locator("#key-input").fill(gateway.secrets["reader"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Key: reader")).to_be_visible()


def test_operations_are_shown_and_tried_under_the_key(open_page, gateway, busy):
    page = open_page("operator")
    page.goto(f"{gateway.url}/docs")
    send = page.locator("#operations-shop-orders_export")
    send.locator(".opblock-summary-control").click()
    send.get_by_role("button", name="Try it out").click()
    send.locator("textarea").fill('{"rows": 1, "seconds": 0.05}')
    send.get_by_role("button", name="Execute").click()
    expect(send.locator(".live-responses-table .response-col_status").last).to_contain_text("202")


def test_queues_say_how_full_they_are(page):
    images = queue(page, "images")
    expect(images.locator(".value").first).to_have_text(str(WAITING))
    expect(images.get_by_text("paused", exact=True)).to_be_visible()
    expect(images.locator(".value").nth(1)).to_have_text(re.compile(r"^\d+ (s|min)"))
    expect(queue(page, "orders").locator(".facts")).to_contain_text("in flight1")
    expect(page.locator(".tile").filter(has_text="Waiting").locator(".value")).to_have_text(str(WAITING))
    expect(page.locator("#live-text")).to_have_text("live")


def past(gateway):
    """For how many moments the gateway remembers the queue; it has one in five seconds."""
    with httpx.stream("GET", f"{gateway.url}/overview/events", headers=gateway.headers("reader")) as stream:
        first = next(line for line in stream.iter_lines() if line.startswith("data: "))
    return len(json.loads(first.removeprefix("data: "))["queues"].get("images", {"depth": []})["depth"])


def test_a_page_that_is_opened_late_shows_the_past(open_page, gateway, busy):
    wait_for(lambda: past(gateway) >= 3)
    late = open_page("reader")
    label = queue(late, "images").get_by_role("img", name="Waiting in images")
    expect(label).to_have_attribute("aria-label", f"Waiting in images: now {WAITING}, at most {WAITING}")
    assert queue(late, "images").locator("path.line").first.get_attribute("d").count(",") >= 3


def test_a_queue_is_paused_and_resumed(page, client):
    orders = queue(page, "orders")
    orders.get_by_role("button", name="Pause the queue orders").click()
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    expect(orders.get_by_text("paused", exact=True)).to_be_visible()
    assert {state.queue for state in client.queues() if state.paused} == {"images", "orders"}
    orders.get_by_role("button", name="Resume the queue orders").click()
    expect(orders.get_by_text("paused", exact=True)).to_be_hidden()
    assert {state.queue for state in client.queues() if state.paused} == {"images"}


def test_a_running_job_shows_its_progress(page, busy):
    running = row(page, "running-list", "app.tasks.orders.export")
    bar = running.get_by_role("progressbar")
    expect(bar).to_be_visible()
    first = float(bar.get_attribute("value"))
    page.wait_for_function("([bar, first]) => bar.value > first", arg=[bar.element_handle(), first])
    expect(running).to_contain_text(re.compile(r"\d+ of 5,000 · order \d+"))


def test_a_task_is_sent_by_its_form_and_followed_to_its_end(page):
    form = choose(page, "app.tasks.orders.place")
    fill_order(form)
    form.get_by_role("button", name="Add to lines").click()
    form.get_by_label("item").nth(1).fill("pot")
    form.get_by_label("priority").select_option("high")
    form.get_by_label("wanted on").fill("2031-01-31")
    form.get_by_label("is gift").check()
    form.get_by_role("button", name="Add to labels").click()
    form.locator(".entry").get_by_label("name").fill("shelf")
    form.locator(".entry").get_by_label("string").fill("B7")
    form.get_by_role("button", name="Send", exact=True).click()
    job = page.locator("#jobs > li").first
    expect(job).to_have_attribute("data-status", "SUCCESS")
    expect(job.get_by_role("group", name="Result")).to_have_text(
        '{\n  "pieces": 3,\n  "priority": "high",\n  "labels": {\n    "shelf": "B7"\n  }\n}'
    )


def test_a_job_that_reports_is_followed_live(page):
    form = choose(page, "app.tasks.orders.export")
    form.get_by_label("rows").fill("60")
    form.get_by_label(re.compile("^seconds")).fill("0.05")
    form.get_by_role("button", name="Send", exact=True).click()
    job = page.locator("#jobs > li").first
    expect(job.get_by_role("progressbar")).to_be_visible()
    expect(job).to_have_attribute("data-status", "SUCCESS")
    expect(job.get_by_role("group", name="Result")).to_have_text("60")


def test_wrong_fields_say_so_where_they_are(page):
    form = choose(page, "app.tasks.orders.place")
    fill_order(form, email="nobody")
    form.get_by_label("count").fill("many")
    form.get_by_label("rebate").fill("2")
    form.get_by_role("button", name="Send", exact=True).click()
    for label in ("email", "count", "rebate"):
        field = form.get_by_label(label)
        expect(field).to_have_attribute("aria-invalid", "true")
        described = field.get_attribute("aria-describedby").split()[-1]
        expect(page.locator(f"#{described}")).not_to_be_empty()
    expect(form.get_by_role("alert")).to_contain_text("3 fields are wrong")
    expect(form.get_by_label("email")).to_be_focused()
    assert form.get_by_label("name", exact=True).get_attribute("aria-invalid") is None
    form.get_by_label("email").fill("ada@example.com")
    form.get_by_label("count").fill("3")
    form.get_by_label("rebate").fill("")
    form.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#jobs > li").first).to_have_attribute("data-status", "SUCCESS")
    expect(form.get_by_role("alert")).to_be_hidden()


def test_a_payload_can_be_written_as_json(page):
    form = choose(page, "app.tasks.orders.place")
    fill_order(form)
    form.get_by_text("More").click()
    form.get_by_label("write it as JSON instead").check()
    text = form.get_by_label("Payload as JSON", exact=True)
    text.fill(text.input_value().replace('"count": 2', '"count": 200'))
    form.get_by_role("button", name="Send", exact=True).click()
    expect(form.locator(".wrong")).to_contain_text("lines.0.count")
    text.fill(text.input_value().replace("200", "20"))
    form.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#jobs > li").first).to_contain_text('"pieces": 20')


def test_a_form_for_a_schema_that_holds_itself_ends(page):
    form = choose(page, "app.tasks.orders.place")
    inner = form.get_by_role("group", name="referred by")
    expect(inner.get_by_label("email")).to_have_count(0)
    inner.get_by_label("give it").check()
    expect(inner.get_by_label("email")).to_have_count(1)
    expect(inner.get_by_role("group", name="referred by")).to_have_count(1)


def test_a_dead_letter_is_shown_as_text_and_replayed(page, worker, client):
    client.send("app.tasks.mail.send_receipt", to=HTML, order=9)
    letter = row(page, "dead-list", HTML)
    expect(letter).to_contain_text("failed")
    letter.get_by_role("button", name="Show").click()
    dialog = page.get_by_role("dialog", name="app.tasks.mail.send_receipt")
    expect(dialog).to_contain_text(f"550 5.7.1 {HTML}: this server takes no mail")
    expect(dialog.get_by_role("group", name="Payload")).to_contain_text(f'"to": "{HTML}"')
    expect(dialog.get_by_role("group", name="Traceback")).to_contain_text("raise PermanentError")
    assert dialog.evaluate("dialog => [...dialog.childNodes].every(part => part.nodeType === Node.ELEMENT_NODE)")
    assert page.locator("img").count() == 0
    (worker.traces / "open").touch()
    dialog.get_by_role("button", name="Replay").click()
    expect(dialog).to_be_hidden()
    expect(row(page, "dead-list", HTML)).to_have_count(0)
    expect(page.locator("#dead-count")).to_have_text("3 letters")


def test_a_dead_letter_is_discarded_after_a_question(page, client):
    letter = row(page, "dead-list", "customer1@example.com")
    letter.get_by_role("button", name="Discard").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert client.dead_letters().count() == 3
    letter.get_by_role("button", name="Discard").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(page.locator("#dead-count")).to_have_text("2 letters")


def test_dead_letters_are_filtered(page):
    expect(page.locator("#dead-list > li")).to_have_count(2)
    page.get_by_label("Task name").fill("app.tasks.orders.*")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("No dead letter fits the filter.")).to_be_visible()
    page.get_by_label("Reason").select_option("failed")
    page.get_by_label("Task name").fill("app.tasks.mail.*")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#dead-list > li")).to_have_count(1)


def test_a_schedule_is_paused_resumed_and_run_now(page):
    schedule = row(page, "schedule-list", "nightly-export")
    expect(schedule).to_contain_text("daily at 02:00")
    schedule.get_by_role("button", name="Pause").click()
    expect(schedule.get_by_text("paused", exact=True)).to_be_visible()
    schedule.get_by_role("button", name="Resume").click()
    expect(schedule.get_by_text("paused", exact=True)).to_be_hidden()
    schedule.get_by_role("button", name=re.compile("^Run")).click()
    expect(page.locator("#jobs > li").first).to_have_attribute("data-status", "SUCCESS")


def test_workers_are_listed(page, worker):
    expect(page.locator("#workers-count")).to_have_text("1 process")
    expect(page.locator("#worker-list > li").first).to_contain_text("shop")


def test_what_a_key_may_not_do_says_why(open_page, busy):
    page = open_page("reader")
    button = queue(page, "images").get_by_role("button")
    expect(button).to_have_attribute("aria-disabled", "true")
    button.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Your key reader has no scope operate.")
    expect(row(page, "dead-list", "send_receipt").get_by_role("button", name="Replay")).to_have_attribute(
        "title", "Your key reader has no scope replay:app.tasks.mail.send_receipt."
    )
    choose(page, "app.tasks.orders.place")
    expect(page.get_by_role("button", name="Send", exact=True)).to_have_attribute("aria-disabled", "true")


def test_a_key_that_may_only_send_can_send(open_page, busy):
    page = open_page("sender")
    expect(page.locator("#problem")).to_contain_text("The key sender has no scope 'read'")
    form = choose(page, "app.tasks.orders.export")
    form.get_by_label("rows").fill("1")
    form.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#jobs > li").first).to_contain_text("Your key may not read what becomes of it.")


def test_everything_goes_by_keyboard(open_page, busy):
    page = open_page("operator")
    page.locator(".queue").first.wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.hash") != "#send":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#task")).to_be_focused()
    page.keyboard.type("images.r")
    page.keyboard.press("Tab")
    page.keyboard.type("keyboard.png")
    page.keyboard.press("Tab")
    page.keyboard.type("64")
    page.keyboard.press("Enter")
    job = page.locator("#jobs > li").first
    expect(job).to_be_focused()
    expect(job).to_contain_text("app.tasks.images.resize")
    page.keyboard.press("Tab")
    expect(job.get_by_role("button", name="Cancel app.tasks.images.resize")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("button", name="Cancel", exact=True)).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(job).to_have_attribute("data-status", "REVOKED")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_or_the_switch(open_page, scheme):
    page = open_page("reader", color_scheme=scheme)
    colour = "getComputedStyle(document.body).color"
    own = page.evaluate(colour)
    other = {"light": "dark", "dark": "light"}[scheme]
    page.get_by_label("Theme").select_option(other)
    assert page.evaluate(colour) != own
    page.reload()
    assert page.evaluate(colour) != own


def test_a_running_job_is_cancelled(page, busy):
    row(page, "running-list", "app.tasks.orders.export").get_by_role("button", name="Follow").click()
    row(page, "running-list", "app.tasks.orders.export").get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
    expect(page.locator(f'[data-job="{busy.id}"]')).to_have_attribute("data-status", "REVOKED")
    expect(row(page, "running-list", "app.tasks.orders.export")).to_have_count(0)
