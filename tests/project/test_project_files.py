"""Files that hosts of repositories and tools read: templates, workflows, hooks, the citation, the bill of materials."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from detection.conf import BASE_DIR

MAKEFILE = (BASE_DIR / "Makefile").read_text(encoding="utf-8")
YAML_FILES = sorted(
    [*(BASE_DIR / ".github").rglob("*.yml"), BASE_DIR / ".pre-commit-config.yaml", BASE_DIR / "CITATION.cff"]
)


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: path.name)
def test_is_yaml(path: Path) -> None:
    assert isinstance(read(path), dict)


def test_workflow_runs_targets_and_scripts_that_exist() -> None:
    jobs = read(BASE_DIR / ".github" / "workflows" / "ci.yml")["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert "bash .ci/run" in commands
    targets = {target for command in commands if command.startswith("make ") for target in command.split()[1:]}
    assert targets <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def test_hooks_check_what_lint_checks() -> None:
    hooks = [hook for repository in read(BASE_DIR / ".pre-commit-config.yaml")["repos"] for hook in repository["hooks"]]
    recipe = MAKEFILE.partition("\nlint:")[2].partition("\n\n")[0]
    linted = [re.sub(r" \.$", "", line.strip().replace("$(BIN)", ".venv/bin")) for line in recipe.splitlines()[1:]]
    assert [hook["entry"].replace(" --force-exclude", "") for hook in hooks] == linted
    assert {shlex.split(hook["entry"])[0] for hook in hooks} <= {line.split()[0] for line in linted}


def test_issue_forms_ask_for_something() -> None:
    forms = [path for path in (BASE_DIR / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"]
    assert len(forms) > 1
    for form in map(read, forms):
        assert {"name", "description", "body"} <= set(form)
        asked = [field for field in form["body"] if field["type"] != "markdown"]
        assert all(field["attributes"]["label"] for field in asked)


def test_citation_has_what_its_format_requires() -> None:
    citation = read(BASE_DIR / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "license"} <= set(citation)


def test_bill_of_materials_has_every_package_with_its_hashes(tmp_path: Path) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    for name in (
        "Makefile",
        "pyproject.toml",
        "README.md",
        *(path.name for path in BASE_DIR.glob("requirements*.txt")),
    ):
        shutil.copy(BASE_DIR / name, tmp_path)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "cyclonedx-py").symlink_to(Path(sys.executable).with_name("cyclonedx-py"))
    for name in ("python", "../.tools-installed"):
        (programs / name).touch()
    subprocess.run(["make", "sbom"], cwd=tmp_path, capture_output=True, check=True)
    bill = json.loads((tmp_path / "dist" / "sbom.json").read_text(encoding="utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "detector-site"
    components = {component["name"]: component for component in bill["components"]}
    assert {"django", "numpy", "openvino", "onnxruntime", "boto3", "pyarrow"} <= set(components)
    assert "sha256" in json.dumps(components["django"]).lower().replace("-", "")
