"""Manifests for Kubernetes and the unit for systemd: read by their own schemas and tools, and by our configuration."""

import configparser
import re
import shutil
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from detection.bulk.shard import Shard
from detection.conf import BASE_DIR, load_config
from detection.observability import metrics

KUBERNETES = BASE_DIR / "deploy" / "kubernetes"
UNIT = BASE_DIR / "deploy" / "systemd" / "detector-site.service"
SECRET = {
    "SECRET_KEY": "key",
    "DATABASE_URL": "postgres://detector:password@postgres/detector",
    "REDIS_URL": "redis://redis:6379/0",
    "METRICS_TOKEN": "token",
}
# The oldest that has what the manifests use, and the newest that is known.
VERSIONS = ("1.33", "1.37")
# Resources that an operator adds; its schema is not among those of Kubernetes.
FOREIGN = {"InferenceService"}


@cache
def built(name: str) -> list[Any]:
    """The resources of a folder, as `kubectl apply --kustomize` sends them."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("needs kubectl")
    done = subprocess.run([kubectl, "kustomize", str(KUBERNETES / name)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return list(yaml.safe_load_all(done.stdout))


def one(resources: list[Any], kind: str) -> Any:
    (found,) = (resource for resource in resources if resource["kind"] == kind)
    return found


def settings_of(resources: list[Any]) -> dict[str, str]:
    return {**one(resources, "ConfigMap")["data"], **SECRET}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["base", "detect-job", "kserve"])
def test_every_resource_is_valid(name: str, version: str) -> None:
    ours = [resource for resource in built(name) if resource["kind"] not in FOREIGN]
    assert ours
    for resource in ours:
        kubernetes_validate.validate(resource, version, strict=True)


def test_an_unknown_field_is_refused() -> None:
    wrong = {**one(built("base"), "Service"), "specification": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("name", ["base", "kserve"])
def test_settings_are_understood(name: str) -> None:
    config = load_config(settings_of(built(name)))
    assert config.problems == ()
    assert config.photo_store is not None
    assert (config.access, config.model_engine == "remote") == ("login", name == "kserve")


def test_pods_use_the_settings_that_are_made() -> None:
    resources = built("base")
    name = one(resources, "ConfigMap")["metadata"]["name"]
    for kind in ("Deployment", "Job"):
        pod = one(resources, kind)["spec"]["template"]["spec"]
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            sources = [next(iter(source.values()))["name"] for source in container["envFrom"]]
            assert sources == [name, "detector-site"]


def test_the_image_is_ours_and_runs_as_its_user() -> None:
    dockerfile = (BASE_DIR / "Dockerfile").read_text(encoding="utf-8")
    (user,) = re.findall(r"^USER (\d+)$", dockerfile, re.MULTILINE)
    for resource in (*built("base"), *built("detect-job")):
        if resource["kind"] in {"Deployment", "Job"}:
            pod = resource["spec"]["template"]["spec"]
            assert pod["securityContext"]["runAsUser"] == int(user)
            assert {container["image"] for container in pod["containers"]} == {
                "registry.example.com/detector-site:1.0.0"
            }


def test_service_and_budget_select_the_web_pods() -> None:
    resources = built("base")
    labels = one(resources, "Deployment")["spec"]["template"]["metadata"]["labels"]
    budget = one(resources, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]
    for selector in (one(resources, "Service")["spec"]["selector"], budget):
        assert selector.items() <= labels.items()
        assert set(selector) == {"app.kubernetes.io/name", "app.kubernetes.io/component"}
    job = one(resources, "Job")["spec"]["template"]["metadata"]["labels"]
    assert not budget.items() <= job.items()


def test_autoscaling_follows_a_metric_that_exists() -> None:
    autoscaler = one(built("base"), "HorizontalPodAutoscaler")["spec"]
    (metric,) = autoscaler["metrics"]
    assert metric["pods"]["metric"]["name"] in {family.name for family in metrics.registry.collect()}
    assert autoscaler["scaleTargetRef"]["name"] == one(built("base"), "Deployment")["metadata"]["name"]


def test_every_index_of_the_job_takes_a_shard_of_its_own() -> None:
    job = one(built("detect-job"), "Job")["spec"]
    (container,) = job["template"]["spec"]["containers"]
    (shards,) = (int(given["value"]) for given in container["env"] if given["name"] == "SHARDS")
    assert job["completions"] == shards
    shell = ["sh", "-c", container["command"][2].replace("exec python manage.py", "printf '%s\\n'")]
    taken = []
    for index in range(shards):
        environment = {"JOB_COMPLETION_INDEX": str(index), "SHARDS": str(shards)}
        words = subprocess.run(shell, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
        taken.append(Shard.parse(words[words.index("--shard") + 1]))
        assert words[words.index("--output") + 1] == f"/results/part-{index}.jsonl"
    assert taken == [Shard(number, shards) for number in range(1, shards + 1)]


def unit() -> configparser.RawConfigParser:
    class Repeated(dict[str, Any]):
        """Values of a key that is given several times, in lines."""

        def __setitem__(self, key: str, value: Any) -> None:
            if isinstance(value, list) and isinstance(self.get(key), list):
                value = [*self[key], *value]
            super().__setitem__(key, value)

    parser = configparser.RawConfigParser(dict_type=Repeated, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT, encoding="utf-8")
    return parser


def test_unit_starts_what_the_wheel_installs() -> None:
    service = unit()["Service"]
    program, command = service["ExecStart"].split()
    scripts = tomllib.loads((BASE_DIR / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert Path(program).name in scripts
    assert (BASE_DIR / "detection" / "management" / "commands" / f"{command}.py").is_file()
    given = dict(line.split("=", 1) for line in service["Environment"].splitlines())
    assert given["DATA_DIR"] == f"/var/lib/{service['StateDirectory']}"
    assert load_config(given).problems == ()


def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs systemd-analyze")
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub("ExecStart=.*", "ExecStart=/bin/true", UNIT.read_text(encoding="utf-8")), encoding="utf-8")
    verified = subprocess.run([program, "verify", str(copy)], capture_output=True, text=True, check=False)
    said = [line for line in verified.stderr.splitlines() if UNIT.name in line]
    assert said == []
