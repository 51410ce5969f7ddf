"""Queues of the review page in a browser: the reason beside the photo, and the measuring sample."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, expect

from detection.conf import BASE_DIR
from tests.browser.test_accessibility import broken_rules
from tests.browser.test_review import ask, opened, review_of, shown, wait_until_saved
from tests.support.serving import Server, running_server, server_environment

pytestmark = pytest.mark.browser
# In bands below the threshold half of the objects are drawn, so that weak ones are.
DRAW = """
from django.contrib.auth.models import User
from detection.learning.sampling import draw_sample
from detection.models import Detection
from detection.review.second.service import draw
from detection.review.service import Reviewer, judge
draw_sample(('sample', ''), 60, seed=1)
User.objects.create_user('bert', password='a-password-of-bert')
for detection in Detection.objects.filter(reported_count__gt=1)[:2]:
    judge(detection, 0, [], Reviewer(name='anna'), reviewed=True)
draw(1.0)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a made history and a measuring sample of it."""
    settings = {"DATA_DIR": str(tmp_path_factory.mktemp("queues"))}
    environment = server_environment(settings)
    for command in (
        ["manage.py", "migrate", "-v0"],
        ["-m", "bench.history", "--detections", "60", "--reviewed", "0", "--until", "2026-11-20"],
        ["manage.py", "shell", "-v0", "-c", DRAW],
    ):
        subprocess.run([sys.executable, *command], cwd=BASE_DIR, env=environment, check=True, timeout=120)
    with running_server(settings) as running:
        yield running


def weak_place(server: Server) -> tuple[str, str]:
    """A photo of the queue that asks for one object alone, which is not reported: the ids of both."""
    for place in ask(server, "/api/review/queue?order=measure&count=20")["places"]:
        if len(place["asked"]) == 1 and place["asked"][0] in {
            each["object"] for each in review_of(server, place["detection"])["weaker"]
        }:
            return place["detection"], place["asked"][0]
    raise AssertionError("no weak object was drawn")


def test_weak_object_of_the_sample_comes_first_and_done_waits_for_its_verdict(
    context: BrowserContext, server: Server
) -> None:
    uuid, key = weak_place(server)
    page = opened(context, f"/review/{uuid}/?order=measure")
    expect(page.locator("[data-reason]")).to_contain_text("1 object of this photo was drawn by chance")
    first = page.locator("[data-objects] [data-row]").first
    expect(first).to_have_attribute("data-row", key)
    expect(first).to_contain_text("In the sample: judge it")
    expect(first).to_have_attribute("aria-current", "true")
    left = int(page.locator("[data-left]").inner_text())
    page.keyboard.press("Enter")
    expect(page.locator("[data-status]")).to_contain_text("judge it on its own")
    assert shown(page) == uuid
    page.keyboard.press("x")
    wait_until_saved(page)
    expect(page.locator("[data-left]")).to_have_text(str(left - 1))
    judged = {each["object"]: each["verdict"] for each in review_of(server, uuid)["objects"]}
    assert judged[key] == "rejected"
    assert uuid not in ask(server, "/api/review/queue?order=measure&count=20")["detections"]
    page.keyboard.press("z")
    wait_until_saved(page)
    expect(page.locator("[data-left]")).to_have_text(str(left))


def test_reason_changes_with_the_photo(context: BrowserContext, server: Server) -> None:
    page = opened(context, "/review/")
    reasons = {each["detection"]: each["reason"] for each in ask(server, "/api/review/queue?count=3")["places"]}
    for _ in range(2):
        expect(page.locator("[data-reason]")).to_have_text(reasons[shown(page)])
        before = page.url
        page.keyboard.press("j")
        expect(page).not_to_have_url(before)


def test_empty_queue_says_what_would_fill_it(context: BrowserContext, server: Server) -> None:
    page = context.new_page()
    page.goto("/review/?order=shadow")
    expect(page.get_by_role("heading", name="No photo is in this queue")).to_be_visible()
    expect(page.locator("main")).to_contain_text("SHADOW_MODEL")


def test_second_opinions_are_given_one_after_the_other(context: BrowserContext, server: Server) -> None:
    page = context.new_page()
    page.goto("/login/?next=/review/second/")
    page.locator("[name=username]").fill("bert")
    page.locator("[name=password]").fill("a-password-of-bert")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 left")).to_be_visible()
    assert broken_rules(page) == []
    for answer in ("Right", "No object"):
        for radio in page.get_by_label(answer, exact=True).all():
            radio.check()
        page.get_by_role("button", name="Keep it, and go on").click()
        expect(page.get_by_text("Your opinion is kept.")).to_be_visible()
    expect(page.get_by_role("heading", name="No photo waits for your second opinion")).to_be_visible()
    expect(page.get_by_role("table")).to_contain_text("All")
    assert broken_rules(page) == []


def test_page_of_the_measuring_sample_has_no_violation(context: BrowserContext, server: Server) -> None:
    page = opened(context, "/review/?order=measure")
    page.locator(".queue-progress summary").click()
    assert broken_rules(page) == []
