"""E-mail of what differs on a day, to the addresses of DRIFT_EMAIL.

`service.record` marks the row of a day that is reported; a thread sends its e-mail, and several servers share the work
by claiming rows. After a failure it is tried again, later each time, until the day is a week over. It comes once, or,
after a server that was killed or an answer that was lost, again with the same Message-ID.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from django.core.mail import EmailMessage
from django.db import connection
from django.db.models import F
from django.urls import get_resolver
from django.utils import timezone, translation
from django.utils.crypto import salted_hmac

from detection.conf import current
from detection.drift.card import card_of
from detection.inference.periodic import PeriodicThread
from detection.models import DriftDay

logger = logging.getLogger(__name__)

EVERY_S = 30.0
# A server that shuts down leaves an e-mail that is being sent to the next one.
STOP_WITHIN_S = 2.0
# Longer than a mail server can take with a few answers of EMAIL_TIMEOUT each.
CLAIM = timedelta(minutes=10)
GIVE_UP_AFTER_DAYS = 7
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 60.0, 3600.0
_MAX_SUBJECT = 150


@contextmanager
def mailing() -> Iterator[None]:
    """Send while the block runs, where DRIFT_EMAIL has addresses."""
    if not current.config().drift_email:
        yield
        return
    thread = PeriodicThread("drift mailer", _round, EVERY_S)
    thread.start()
    try:
        yield
    finally:
        thread.stop(STOP_WITHIN_S)


def _round() -> None:
    try:
        run_once()
    finally:
        connection.close()


def run_once() -> None:
    """Send the e-mails that are due, and give up the old ones."""
    _give_up()
    for row in DriftDay.objects.filter(mail_next_at__lte=timezone.now()).order_by("day", "model"):
        if _claimed(row):
            _send(row)


def _give_up() -> None:
    oldest = datetime.now(UTC).date() - timedelta(days=GIVE_UP_AFTER_DAYS)
    for row in DriftDay.objects.filter(mail_next_at__isnull=False, day__lt=oldest):
        if DriftDay.objects.filter(pk=row.pk, mail_next_at=row.mail_next_at).update(mail_next_at=None):
            logger.error("The e-mail about %s was given up after %d attempts.", row, row.mail_attempts)


def _claimed(row: DriftDay) -> bool:
    """Claim a row; return whether it is ours. The attempt is counted before it is made."""
    mine = DriftDay.objects.filter(pk=row.pk, mail_next_at=row.mail_next_at)
    row.mail_next_at, row.mail_attempts = timezone.now() + CLAIM, row.mail_attempts + 1
    return bool(mine.update(mail_next_at=row.mail_next_at, mail_attempts=F("mail_attempts") + 1))


def _send(row: DriftDay) -> None:
    try:
        message_of(row).send()
    except OSError as error:  # smtplib's errors too
        pause = pause_after(row.mail_attempts)
        logger.warning(
            "Attempt %d of the e-mail about %s failed; it is tried again in %g seconds. %s: %s",
            row.mail_attempts,
            row,
            pause.total_seconds(),
            type(error).__name__,
            error,
        )
        _set_next(row, timezone.now() + pause)
    else:
        _set_next(row, None)


def _set_next(row: DriftDay, moment: datetime | None) -> None:
    DriftDay.objects.filter(pk=row.pk, mail_next_at=row.mail_next_at).update(mail_next_at=moment)


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts: a minute, 2, 4, ... an hour."""
    return timedelta(seconds=min(_FIRST_PAUSE_S * 2 ** min(attempts - 1, 20), _LONGEST_PAUSE_S))


def message_of(row: DriftDay) -> EmailMessage:
    """Return the e-mail about a row, in English: which measures differ, by how much, and where to look."""
    with translation.override("en"):
        card = card_of(row)
    names = card.findings[0].name + (f" and {len(card.findings) - 1} more" if len(card.findings) > 1 else "")
    subject = " ".join(f"Drift of {card.model} on {card.day}: {names}".split())
    lines = [f"- {each.name}: {each.now}, before {each.before} ({each.change})" for each in card.findings]
    lines = [each.replace("\u00a0", " ") for each in lines]
    dashboard = dashboard_url()
    text = "\n".join(
        [
            f"The photos of {card.day} (UTC) that {card.model} answered, {row.photos} of them, differ from the",
            f"{card.reference_days} days of its reference period:",
            "",
            *lines,
            "",
            "Each mean is of the day, or of the three days up to it. What goes on is reported again after a week.",
            *([f"Dashboard: {dashboard}"] if dashboard else []),
            "",
        ]
    )
    headers = {"Message-ID": _message_id(row), "Auto-Submitted": "auto-generated"}
    return EmailMessage(subject[:_MAX_SUBJECT], text, to=list(current.config().drift_email), headers=headers)


def dashboard_url() -> str:
    """Return the dashboard's address, "" where ALLOWED_HOSTS has no whole address of the site."""
    config = current.config()
    origin = next((each for each in config.hosts.origins if "*" not in each), "")
    return f"{origin}{config.site_path}/{get_resolver().reverse('dashboard')}" if origin else ""


def _message_id(row: DriftDay) -> str:
    """Return an id that is the same for each attempt, and another one on another site."""
    name = salted_hmac("detection.drift.mail", f"{row.pk} {row.model} {row.day}").hexdigest()[:32]
    smtp = current.config().smtp
    host = smtp.sender.rpartition("@")[2] if smtp else "localhost"
    return f"<drift.{name}@{host}>"
