"""Usable by everybody: no violation that axe-core finds, nothing cut off on a telephone; the documents' pictures."""

import os
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from devstack.services import ROOT

PICTURES = ROOT / "docs" / "images"
TAKEN = bool(os.environ.get("PICTURES"))  # for the documents
MOST_BYTES = 300_000
STEPS = 12  # of work that comes and goes, so that the plots of a picture show something
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def violations(page):
    found = Axe().run(page, options=RULES).response["violations"]
    return [(one["id"], node["html"], node["failureSummary"]) for one in found for node in one["nodes"]]


def show_all(page):
    page.locator("#task").select_option("app.tasks.orders.place")
    page.get_by_label("Plots show").select_option("60")
    form = page.get_by_role("form", name="Payload")
    form.get_by_label("name", exact=True).fill("Ada Lovelace")
    form.get_by_label("email").fill("ada@example.com")
    form.get_by_label("item").fill("tea")
    expect(page.locator("#running-list").get_by_role("progressbar").first).to_be_visible()
    expect(page.locator("#dead-list > li")).to_have_count(3)


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture
def shown(open_page, busy, scheme):
    page = open_page("operator", color_scheme=scheme, reduced_motion="reduce")
    show_all(page)
    return page


def test_no_violation_on_the_page_with_its_errors(shown):
    assert violations(shown) == []
    shown.get_by_label("count").fill("many")
    shown.get_by_role("button", name="Send", exact=True).click()
    expect(shown.locator(".wrong")).to_be_visible()
    assert violations(shown) == []


def test_no_violation_in_the_dialogs(shown, open_page):
    shown.locator("#dead-list").get_by_role("button", name="Show").first.click()
    expect(shown.get_by_role("dialog")).to_be_visible()
    assert violations(shown) == []
    shown.get_by_role("dialog").get_by_role("button", name="Discard").click()
    assert violations(shown) == []
    other = open_page("reader")
    other.get_by_role("button", name="Key: reader").click()
    assert violations(other) == []


def test_nothing_is_cut_off_on_a_narrow_screen(shown):
    shown.set_viewport_size({"width": 360, "height": 700})
    wider = shown.evaluate(
        "[...document.querySelectorAll('main *, header *')].filter(e => e.getBoundingClientRect().right > 361"
        " && !e.closest('.unseen, .skip, pre, select, svg')).map(e => e.outerHTML.slice(0, 100))"
    )
    assert wider == []
    assert violations(shown) == []


def test_pictures(shown, scheme, client, tmp_path):
    shown.set_viewport_size({"width": 1440, "height": 1160})
    shown.locator("#task").select_option("app.tasks.orders.export")
    form = shown.get_by_role("form", name="Payload")
    form.get_by_label("rows").fill("800" if TAKEN else "20")
    form.get_by_label(re.compile("^seconds")).fill("0.05")
    form.get_by_role("button", name="Send", exact=True).click()
    for step in range(STEPS if TAKEN else 1):
        client.send_many("app.tasks.orders.export", [{"rows": 1, "seconds": 0.05}] * (15 + 60 * (step % 4 == 1)))
        shown.wait_for_timeout(2_500)
    folder = PICTURES if TAKEN else tmp_path
    folder.mkdir(exist_ok=True)
    file = folder / f"dashboard-{scheme}.png"
    shown.screenshot(path=file)
    assert 20_000 < file.stat().st_size < MOST_BYTES
