"""Modules that register themselves when imported are there in a process that has only started."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from detection.conf import BASE_DIR

PROGRAM = """
import json, django
django.setup()
from django.contrib import admin
from django.core.checks.registry import registry
from drf_spectacular.extensions import OpenApiAuthenticationExtension
admin.autodiscover()
print(json.dumps({
    "checks": [check.__name__ for check in registry.registered_checks if check.__module__ == "detection.checks"],
    "admin": [model.__name__ for model in admin.site._registry],
    "schemes": [str(scheme.target_class) for scheme in OpenApiAuthenticationExtension._registry],
}))
"""


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    environment = {
        **os.environ,
        "DATA_DIR": str(tmp_path_factory.mktemp("data")),
        "DJANGO_SETTINGS_MODULE": "detector_site.settings",
    }
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=Path(BASE_DIR), env=environment, capture_output=True, text=True, check=True
    )
    found: dict[str, list[str]] = json.loads(run.stdout)
    return found


def test_system_checks_run_at_the_start(registered: dict[str, list[str]]) -> None:
    assert {"check_environment", "check_checkpoint", "check_data_dir", "check_access"} <= set(registered["checks"])


def test_the_admin_has_the_pages_of_all_packages(registered: dict[str, list[str]]) -> None:
    assert {"Detection", "Photo", "ModelVersion", "ShadowRun", "User"} <= set(registered["admin"])


def test_the_api_document_has_the_security_schemes(registered: dict[str, list[str]]) -> None:
    assert "detection.accounts.authentication.CallerAuthentication" in registered["schemes"]
