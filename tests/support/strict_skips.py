"""Pytest plugin that turns skipped tests into failures if REQUIRE_ALL=1.

Skips are for machines that lack a browser, a database or a folder. The continuous integration has all of them, so there
a skip means that something is broken and would go unseen. Tests that cannot run on any such machine may skip.
"""

import os
from collections.abc import Generator

import pytest

# Containers may not mount anything; tests that need SQLite have run before those on PostgreSQL.
ACCEPTED_REASONS = (
    "needs a GPU",
    "needs SQLite",
    "needs the right to mount",
    "needs a wheel of atheris",
    "needs kubectl",
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Check the skip of one test; an expected failure (`xfail`) is not one."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _judge(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Check the skip of a whole module."""
    report = yield
    _judge(report)
    return report


def _judge(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or os.environ.get("REQUIRE_ALL") != "1":
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if not reason.startswith(ACCEPTED_REASONS):
        report.outcome = "failed"
        report.longrepr = f"Skipped although REQUIRE_ALL=1 asks for every test: {reason}"
