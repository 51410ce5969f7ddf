"""E-mail about drift: once for each finding, tried again after a failure, and never in the way of anything else."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from django.core import mail as outgoing
from django.utils import timezone, translation

from detection.conf import BASE_DIR, Config, Hosts, SmtpServer
from detection.drift import mail, service, worker
from detection.drift.comparison import Measure
from detection.models import DriftDay
from tests.drift.test_service import DARK, MODEL, day, recorded
from tests.support.smtp_server import Mailbox, smtp_server

pytestmark = pytest.mark.django_db(transaction=True)

OPERATORS = ("ops@a.example", "night@a.example")
SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.fixture(autouse=True)
def recipients(config: Config, settings: Any) -> None:
    smtp = SmtpServer("127.0.0.1", 25, "cam@a.example")
    settings.DETECTOR = replace(config, drift_email=OPERATORS, smtp=smtp)
    settings.DEFAULT_FROM_EMAIL = smtp.sender


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    with smtp_server() as made:
        settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", made.port
        yield made


def found(ago: int = 1, model: str = MODEL, **fields: Any) -> DriftDay:
    findings = [
        {"name": "class:person", "mean": 0.31, "reference": 0.2043, "errors": 9.0},
        {"name": "brightness", "mean": 60.0, "reference": 120.31, "errors": -8.0},
    ]
    given = {"photos": 1013, "findings": findings, "reference_days": 28, "is_told": True}
    return DriftDay.objects.create(day=day(ago), model=model, **{**given, "mail_next_at": timezone.now(), **fields})


def run_now() -> None:
    """Let all pauses and claims be over, and send."""
    past = timezone.now() - timedelta(seconds=1)
    DriftDay.objects.filter(mail_next_at__isnull=False).update(mail_next_at=past)
    mail.run_once()


def test_a_finding_is_mailed_once() -> None:
    for ago in range(40, 3, -1):
        recorded(ago)
    mail.run_once()
    assert outgoing.outbox == []
    for ago in (3, 2, 1):
        recorded(ago, **DARK)
        mail.run_once()
        mail.run_once()
    (message,) = outgoing.outbox
    assert message.to == list(OPERATORS)
    assert message.from_email == "cam@a.example"
    assert message.subject == f"Drift of {MODEL} on {day(3)}: brightness (0 to 255)"
    assert DriftDay.objects.filter(mail_next_at__isnull=False).count() == 0


def test_it_tells_which_measures_changed_by_how_much(settings: Any) -> None:
    settings.DETECTOR = replace(
        settings.DETECTOR, site_path="/eye", hosts=Hosts(("a.example",), ("https://*.b.example", "https://a.example"))
    )
    found()
    with translation.override("ru"):
        mail.run_once()
    (message,) = outgoing.outbox
    assert message.subject == f"Drift of {MODEL} on {day(1)}: photos with person and 1 more"
    assert message.body.splitlines() == [
        f"The photos of {day(1)} (UTC) that {MODEL} answered, 1013 of them, differ from the",
        "28 days of its reference period:",
        "",
        "- photos with person: 31.0 %, before 20.4 % (+10.6 points)",
        "- brightness (0 to 255): 60.00, before 120.31 (-60.31)",
        "",
        "Each mean is of the day, or of the three days up to it. What goes on is reported again after a week.",
        "Dashboard: https://a.example/eye/dashboard/",
    ]


def test_without_a_known_address_of_the_site_there_is_no_link() -> None:
    found()
    mail.run_once()
    assert "Dashboard" not in outgoing.outbox[0].body
    assert "http" not in outgoing.outbox[0].body


def test_nobody_is_mailed_where_there_are_no_recipients(config: Config, settings: Any) -> None:
    settings.DETECTOR = config
    for ago in range(40, 1, -1):
        recorded(ago)
    assert recorded(1, **DARK).is_told
    assert DriftDay.objects.filter(mail_next_at__isnull=False).count() == 0
    with mail.mailing():
        assert "drift mailer" not in [each.name for each in threading.enumerate()]


def test_a_mail_server_gets_plain_text_for_all_recipients(mailbox: Mailbox) -> None:
    found()
    mail.run_once()
    (received,) = mailbox.received
    assert (received.sender, received.recipients) == ("cam@a.example", list(OPERATORS))
    assert received.message.get_content_type() == "text/plain"
    assert received.message["Auto-Submitted"] == "auto-generated"
    assert "brightness (0 to 255): 60.00, before 120.31" in received.message.get_content()


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param({"": "554 go away"}, id="greeting"),
        pytest.param({"": "421 later"}, id="busy"),
        pytest.param({"MAIL": "550 not from you"}, id="sender"),
        pytest.param({"RCPT": "450 greylisted"}, id="recipients"),
        pytest.param({"DATA": "554 no"}, id="data"),
        pytest.param({".": "452 full"}, id="message"),
    ],
)
def test_a_refused_message_is_sent_again_with_its_id(
    mailbox: Mailbox, answers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    row = found()
    mailbox.answers = answers
    mail.run_once()
    assert f"Attempt 1 of the e-mail about {row} failed; it is tried again in 60 seconds" in caplog.text
    first = mail.message_of(row).extra_headers["Message-ID"]
    mail.run_once()
    assert (mailbox.connections, mailbox.received) == (1, [])
    mailbox.answers = {}
    run_now()
    run_now()
    (received,) = mailbox.received
    assert received.message["Message-ID"] == first
    row.refresh_from_db()
    assert (row.mail_next_at, row.mail_attempts) == (None, 2)


def test_pauses_grow_to_an_hour() -> None:
    minutes = [mail.pause_after(attempts) // timedelta(minutes=1) for attempts in (1, 2, 3, 6, 7, 100)]
    assert minutes == [1, 2, 4, 32, 60, 60]


def test_a_server_that_is_not_there_costs_an_attempt(mailbox: Mailbox, settings: Any) -> None:
    row = found()
    with smtp_server() as gone:
        settings.EMAIL_PORT = gone.port
    mail.run_once()
    settings.EMAIL_PORT = mailbox.port
    run_now()
    assert len(mailbox.received) == 1
    row.refresh_from_db()
    assert row.mail_attempts == 2


def test_a_silent_server_is_left_after_the_timeout(mailbox: Mailbox, settings: Any) -> None:
    settings.EMAIL_TIMEOUT = 0.2
    mailbox.is_silent = True
    row = found()
    mail.run_once()
    row.refresh_from_db()
    assert row.mail_next_at is not None
    assert timedelta(0) < row.mail_next_at - timezone.now() <= timedelta(minutes=1)


def test_a_slow_server_gets_it_once(mailbox: Mailbox) -> None:
    mailbox.delay_s = 0.2
    found()
    mail.run_once()
    run_now()
    assert len(mailbox.received) == 1


def test_a_server_that_hangs_up_after_taking_it_gets_it_once(mailbox: Mailbox) -> None:
    mailbox.is_gone_after = True
    found()
    mail.run_once()
    run_now()
    assert len(mailbox.received) == 1


def test_one_message_that_fails_does_not_hold_up_others(mailbox: Mailbox) -> None:
    found(ago=2, model="dogs@1")
    found(ago=1, model="cats@1")
    mailbox.answers = {"RCPT": "450 later"}
    mail.run_once()
    assert mailbox.connections == 2
    mailbox.answers = {}
    run_now()
    assert [each.message["Subject"].split()[2] for each in mailbox.received] == ["dogs@1", "cats@1"]


def test_of_several_servers_one_sends_it() -> None:
    stale = found()
    assert mail._claimed(DriftDay.objects.get(pk=stale.pk))
    assert not mail._claimed(stale)
    mail.run_once()
    assert outgoing.outbox == []
    run_now()
    assert len(outgoing.outbox) == 1


def test_it_is_given_up_when_the_day_is_a_week_over(caplog: pytest.LogCaptureFixture) -> None:
    row = found(ago=mail.GIVE_UP_AFTER_DAYS + 1, mail_attempts=150)
    found(ago=mail.GIVE_UP_AFTER_DAYS)
    run_now()
    assert f"The e-mail about {row} was given up after 150 attempts" in caplog.text
    assert [message.subject.split()[4] for message in outgoing.outbox] == [f"{day(mail.GIVE_UP_AFTER_DAYS)}:"]


def test_a_silent_server_holds_up_neither_days_nor_the_shutdown(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox.is_silent = True
    monkeypatch.setattr(mail, "EVERY_S", 0.01)
    monkeypatch.setattr(mail, "STOP_WITHIN_S", 0.1)
    found(ago=1)
    with worker.watching_drift():
        mailbox.wait_for_connection()
        (thread,) = [each for each in threading.enumerate() if each.name == "drift mailer"]
        assert service.record(date(2026, 1, 1), MODEL, 1, {"brightness": Measure(1, 1.0, 0.0)}) is not None
        began_s = time.monotonic()
    assert time.monotonic() - began_s < 10
    assert thread.is_alive()
    mailbox.ended.set()
    thread.join(60)
    assert not thread.is_alive()


def test_the_mail_server_of_the_settings_is_used(mailbox: Mailbox, tmp_path: Any) -> None:
    url = f"smtp://cam%40a.example:p%23w@127.0.0.1:{mailbox.port}"
    environ = {**os.environ, "EMAIL_URL": url, "DATA_DIR": str(tmp_path), "DRIFT_EMAIL": "ops@a.example"}
    command = [sys.executable, "manage.py", "sendtestemail", "ops@a.example"]
    subprocess.run(command, cwd=BASE_DIR, env=environ, check=True, timeout=120)
    (received,) = mailbox.received
    assert (received.sender, received.login) == ("cam@a.example", "cam@a.example p#w")
