"""The configuration: every variable, its default, and what is said when it cannot be used."""

import ipaddress
import os
import stat
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from detection.conf import (
    BASE_DIR,
    DEFAULT_MODEL_PREFIX,
    Config,
    Hosts,
    Https,
    LabelStudio,
    LogStyle,
    PhotoStore,
    Rate,
    RemoteServer,
    Retention,
    ShadowModel,
    SmtpServer,
    Throttle,
    load_config,
    make_data_dir,
    secret_key,
)
from detection.conf.former import FORMER_SETTINGS


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_nothing_set_is_the_2019_service_on_this_machine_only() -> None:
    config = load_config({})
    assert (config.rest_host, config.rest_port, config.rest_entry_point) == ("127.0.0.1", 8080, "/predict")
    assert (config.probability_more, config.model_epoch, config.model_context_gpu) == (None, 0, False)
    assert config.model_device == "cpu"
    assert (config.max_body_bytes, config.model_edge, config.problems) == (20_000_000, 0, ())
    assert config.model_prefix == DEFAULT_MODEL_PREFIX == BASE_DIR / "models" / "nanodet_plus_m"
    assert config.models == ("nanodet_plus_m", "mobilenet_ssd_voc")
    assert config == Config(data_dir=config.data_dir)


@pytest.mark.parametrize(
    ("name", "raw", "field", "value"),
    [
        pytest.param("REST_HOST", "0.0.0.0", "rest_host", "0.0.0.0", id="all addresses"),  # noqa: S104 a value to read
        pytest.param("REST_PORT", "0", "rest_port", 0, id="any free port"),
        pytest.param("REST_ENTRY_POINT", "detect/", "rest_entry_point", "/detect", id="path without its slash"),
        pytest.param("REST_ENTRY_POINT", "/v1/predict", "rest_entry_point", "/v1/predict", id="path of two steps"),
        pytest.param("PROBABILITY_MORE", "0.25", "probability_more", 0.25, id="threshold"),
        pytest.param("PROBABILITY_MORE", "1", "probability_more", 1.0, id="highest threshold"),
        pytest.param("MODEL_PREFIX", "/models/ssd", "model_prefix", Path("/models/ssd"), id="prefix"),
        pytest.param("MODEL_EPOCH", "240", "model_epoch", 240, id="epoch"),
        pytest.param("MODEL_EDGE", "512", "model_edge", 512, id="edge"),
        pytest.param("MODELS", "a, b", "models", ("a", "b"), id="models"),
        pytest.param("MODELS", "none", "models", (), id="no other model"),
        pytest.param("MODEL_DEVICE", "intel-gpu", "model_device", "intel-gpu", id="device"),
        pytest.param("MODEL_CONTEXT_GPU", "true", "model_device", "cuda:0", id="device of the 2019 service"),
        pytest.param("MODEL_CONTEXT_GPU", "True", "model_context_gpu", True, id="Python's true"),
        pytest.param("MODEL_CONTEXT_GPU", "no", "model_context_gpu", False, id="no"),
        pytest.param("MODEL_ENGINE", "onnxruntime", "model_engine", "onnxruntime", id="engine"),
        pytest.param("REMOTE_URL", "grpc://gpu:8001", "remote", RemoteServer("grpc://gpu:8001"), id="remote over gRPC"),
        pytest.param(
            "REMOTE_URL",
            "https://gpu:8443/kserve/",
            "remote",
            RemoteServer("https://gpu:8443/kserve"),
            id="with a path",
        ),
        pytest.param(
            "REMOTE_URL",
            "http://gpu:8000/?model=ssd/3&timeout=2.5&connections=16&batch=32",
            "remote",
            RemoteServer("http://gpu:8000", "ssd/3", 2.5, 16, 32),
            id="remote with all options",
        ),
        pytest.param("MODEL_PRECISION", "bf16", "model_precision", "bf16", id="precision"),
        pytest.param("INFERENCE_THREADS", "4", "inference_threads", 4, id="threads"),
        pytest.param("QUEUE_SIZE", "1", "queue_size", 1, id="queue"),
        pytest.param("MAX_BODY_BYTES", "1000", "max_body_bytes", 1000, id="body"),
        pytest.param(
            "MAX_BODY_BYTES", "900000000", "body_budget_bytes", 900_000_000, id="budget for one body at least"
        ),
        pytest.param("BODY_BUDGET_BYTES", "20000000", "body_budget_bytes", 20_000_000, id="budget"),
        pytest.param("MAX_PIXELS", "10000", "max_pixels", 10_000, id="pixels"),
        pytest.param("REQUEST_TIMEOUT", "2.5", "request_timeout_s", 2.5, id="timeout"),
        pytest.param("UPLOAD_TIMEOUT", "1.5", "upload_timeout_s", 1.5, id="upload timeout"),
        pytest.param("MAX_CONNECTIONS", "10", "max_connections", 10, id="connections"),
        pytest.param("ACCESS", "login", "access", "login", id="access"),
        pytest.param("THROTTLE", "600/min", "throttle", Throttle(Rate(600, 60.0), Rate(600, 60.0)), id="throttle"),
        pytest.param("THROTTLE", "address:10/s", "throttle", Throttle(None, Rate(10, 1.0)), id="throttle of addresses"),
        pytest.param(
            "THROTTLE",
            "user:5/hour, address:10/s",
            "throttle",
            Throttle(Rate(5, 3600.0), Rate(10, 1.0)),
            id="throttle of both",
        ),
        pytest.param("SHADOW_MODEL", "ssd@2", "shadow", ShadowModel("ssd@2", 0.1), id="shadow model"),
        pytest.param("SHADOW_MODEL", "ssd@2:1", "shadow", ShadowModel("ssd@2", 1.0), id="shadow model of all photos"),
        pytest.param("HTTPS", "true", "https", Https(is_on=True), id="HTTPS"),
        pytest.param("HTTPS", "hsts:31536000", "https", Https(is_on=True, hsts_seconds=31_536_000), id="HSTS"),
        pytest.param("METRICS_TOKEN", "abc", "metrics_token", "abc", id="metrics token"),
        pytest.param("RETENTION", "days:30", "retention", Retention(days=30), id="retention by age"),
        pytest.param(
            "RETENTION",
            "days:30, count:1000, free:5GB",
            "retention",
            Retention(30, 1000, 5 * 10**9),
            id="retention by all",
        ),
        pytest.param("DATABASE_URL", "postgres://u@h/n", "database_url", "postgres://u@h/n", id="database"),
        pytest.param("PHOTO_STORE_URL", "s3://photos", "photo_store", PhotoStore("photos"), id="bucket"),
        pytest.param(
            "PHOTO_STORE_URL",
            "s3://photos/a/b/?endpoint=http://store:9000&region=eu",
            "photo_store",
            PhotoStore("photos", "a/b", "http://store:9000", "eu"),
            id="bucket of another store",
        ),
        pytest.param("REDIS_URL", "redis://h", "redis_url", "redis://h", id="Redis"),
        pytest.param("DEBUG", "1", "debug", True, id="debug"),
        pytest.param("ALLOWED_HOSTS", "a.example, .b.ex,", "hosts", Hosts(("a.example", ".b.ex")), id="hosts"),
        pytest.param("ALLOWED_HOSTS", "none", "hosts", Hosts(()), id="no hosts"),
        pytest.param(
            "ALLOWED_HOSTS",
            "https://a.example:8443,a.example,https://*.b.example,http://[::1]:80",
            "hosts",
            Hosts(
                ("a.example", ".b.example", "[::1]"),
                ("https://a.example:8443", "https://*.b.example", "http://[::1]:80"),
            ),
            id="origins",
        ),
        pytest.param(
            "LABEL_STUDIO_URL",
            "https://labels.example/app/?token=abc",
            "label_studio",
            LabelStudio("https://labels.example/app", "abc"),
            id="Label Studio",
        ),
        pytest.param("SITE_PATH", "/a/detector/", "site_path", "/a/detector", id="site path"),
        pytest.param("SITE_PATH", "/", "site_path", "", id="no site path"),
        pytest.param("CORS_ORIGINS", "*", "cors_origins", ("*",), id="all origins"),
        pytest.param(
            "CORS_ORIGINS",
            "https://a.example, http://localhost:3000",
            "cors_origins",
            ("https://a.example", "http://localhost:3000"),
            id="two origins",
        ),
        pytest.param(
            "WEBHOOK_NETWORKS",
            "10.1.0.0/16, ::1",
            "webhook_networks",
            (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("::1/128")),
            id="two networks",
        ),
        pytest.param(
            "EMAIL_URL",
            "smtp://relay?from=cam@a.example",
            "smtp",
            SmtpServer("relay", 25, "cam@a.example"),
            id="mail server without a login",
        ),
        pytest.param(
            "EMAIL_URL",
            "smtp+tls://ops%40a.example:p%23w%2F@mail.a.example",
            "smtp",
            SmtpServer("mail.a.example", 587, "ops@a.example", "ops@a.example", "p#w/", has_starttls=True),
            id="mail server with STARTTLS, from its user",
        ),
        pytest.param(
            "EMAIL_URL",
            "smtps://me:pw@[::1]:4650/?from=cam@a.example",
            "smtp",
            SmtpServer("::1", 4650, "cam@a.example", "me", "pw", has_tls=True),
            id="mail server with TLS and a port",
        ),
        pytest.param("LOGGING", "json", "logging", LogStyle("json"), id="log format"),
        pytest.param("LOGGING", "WARNING", "logging", LogStyle("text", "WARNING"), id="log level"),
        pytest.param("LOGGING", "debug, json", "logging", LogStyle("json", "DEBUG"), id="log format and level"),
        pytest.param("REST_PORT", "", "rest_port", 8080, id="empty counts as unset"),
    ],
)
def test_variable_is_read(name: str, raw: str, field: str, value: Any) -> None:
    config = load_config({name: raw})
    assert getattr(config, field) == value
    assert config.problems == ()


@pytest.mark.parametrize(
    ("name", "raw", "field"),
    [
        pytest.param("REST_PORT", "http", "rest_port", id="port as a word"),
        pytest.param("REST_PORT", "65536", "rest_port", id="port too high"),
        pytest.param("REST_ENTRY_POINT", "/", "rest_entry_point", id="entry point over the first page"),
        pytest.param("REST_ENTRY_POINT", "/a b", "rest_entry_point", id="entry point with a space"),
        pytest.param("REST_ENTRY_POINT", "/<int:x>", "rest_entry_point", id="entry point with a converter"),
        pytest.param("PROBABILITY_MORE", "1.5", "probability_more", id="threshold above 1"),
        pytest.param("PROBABILITY_MORE", "nan", "probability_more", id="threshold that is no number"),
        pytest.param("PROBABILITY_MORE", "50%", "probability_more", id="threshold in percent"),
        pytest.param("MODEL_PREFIX", "/", "model_prefix", id="prefix without a name"),
        pytest.param("MODEL_PREFIX", ".", "model_prefix", id="prefix of the current folder"),
        pytest.param("MODEL_EPOCH", "-1", "model_epoch", id="negative epoch"),
        pytest.param("MODEL_EDGE", "0", "model_edge", id="edge of nothing"),
        pytest.param("MODEL_CONTEXT_GPU", "gpu", "model_context_gpu", id="GPU neither true nor false"),
        pytest.param("MODEL_ENGINE", "tensorrt", "model_engine", id="unknown engine"),
        pytest.param("REMOTE_URL", "gpu:8000", "remote", id="remote without a scheme"),
        pytest.param("PHOTO_STORE_URL", "photos", "photo_store", id="store without a scheme"),
        pytest.param("PHOTO_STORE_URL", "s3://", "photo_store", id="store without a bucket"),
        pytest.param("PHOTO_STORE_URL", "s3://key:secret@photos", "photo_store", id="store with a password"),
        pytest.param("PHOTO_STORE_URL", "s3://photos?endpoint=store:9000", "photo_store", id="endpoint without http"),
        pytest.param("PHOTO_STORE_URL", "s3://photos?acl=public", "photo_store", id="unknown wish for the store"),
        pytest.param("REMOTE_URL", "http://gpu", "remote", id="remote without a port"),
        pytest.param("REMOTE_URL", "http://gpu:99999", "remote", id="remote with a port that is none"),
        pytest.param("REMOTE_URL", "http://me:secret@gpu:8000", "remote", id="remote with a password"),
        pytest.param("REMOTE_URL", "grpc://gpu:8001/path", "remote", id="remote path over gRPC"),
        pytest.param("REMOTE_URL", "http://gpu:8000?model=a/b/c", "remote", id="remote model of three parts"),
        pytest.param("REMOTE_URL", "http://gpu:8000?timeout=0", "remote", id="remote without time"),
        pytest.param("REMOTE_URL", "http://gpu:8000?connections=many", "remote", id="remote connections as a word"),
        pytest.param("REMOTE_URL", "http://gpu:8000?batch=129", "remote", id="remote batch too large"),
        pytest.param("REMOTE_URL", "http://gpu:8000?batch=1&batch=2", "remote", id="remote option twice"),
        pytest.param("REMOTE_URL", "http://gpu:8000?retries=2", "remote", id="unknown remote option"),
        pytest.param("MODEL_PRECISION", "f64", "model_precision", id="unknown precision"),
        pytest.param("INFERENCE_THREADS", "many", "inference_threads", id="threads as a word"),
        pytest.param("QUEUE_SIZE", "0", "queue_size", id="no queue"),
        pytest.param("MAX_BODY_BYTES", "20MB", "max_body_bytes", id="body with a unit"),
        pytest.param("BODY_BUDGET_BYTES", "1GB", "body_budget_bytes", id="budget with a unit"),
        pytest.param("MAX_PIXELS", "1e9", "max_pixels", id="pixels in floating point"),
        pytest.param("REQUEST_TIMEOUT", "0", "request_timeout_s", id="no time"),
        pytest.param("REQUEST_TIMEOUT", "inf", "request_timeout_s", id="endless time"),
        pytest.param("UPLOAD_TIMEOUT", "0", "upload_timeout_s", id="no time to upload"),
        pytest.param("MAX_CONNECTIONS", "0", "max_connections", id="no connections"),
        pytest.param("ACCESS", "closed", "access", id="unknown access"),
        pytest.param("LABEL_STUDIO_URL", "http://u:p@host", "label_studio", id="Label Studio with a password"),
        pytest.param("LABEL_STUDIO_URL", "http://host?key=a", "label_studio", id="Label Studio with an unknown part"),
        pytest.param("SITE_PATH", "/a b", "site_path", id="site path with a space"),
        pytest.param("SITE_PATH", "https://a/b", "site_path", id="site path with a host"),
        pytest.param("WEBHOOK_NETWORKS", "10.1.0.1/16", "webhook_networks", id="network with bits of a host"),
        pytest.param("CORS_ORIGINS", "shop.example.org", "cors_origins", id="origin without a scheme"),
        pytest.param("CORS_ORIGINS", "https://a.example/", "cors_origins", id="origin with a path"),
        pytest.param("THROTTLE", "600", "throttle", id="throttle without a time"),
        pytest.param("THROTTLE", "user:0/min", "throttle", id="throttle that takes nothing"),
        pytest.param("THROTTLE", "address:5/fortnight", "throttle", id="throttle with an unknown time"),
        pytest.param("THROTTLE", "staff:5/min", "throttle", id="throttle of somebody else"),
        pytest.param("SHADOW_MODEL", "ssd:2", "shadow", id="shadow of more than all"),
        pytest.param("SHADOW_MODEL", "ssd:", "shadow", id="shadow of no share"),
        pytest.param("SHADOW_MODEL", ":0.5", "shadow", id="shadow without a name"),
        pytest.param("ALLOWED_HOSTS", "https://", "hosts", id="origin without a name"),
        pytest.param("ALLOWED_HOSTS", "https://a.example/", "hosts", id="origin with a path"),
        pytest.param("ALLOWED_HOSTS", "ftp://a.example", "hosts", id="origin with another scheme"),
        pytest.param("ALLOWED_HOSTS", "https://me@a.example", "hosts", id="origin with a user"),
        pytest.param("ALLOWED_HOSTS", "https://a.example:port", "hosts", id="origin with a bad port"),
        pytest.param("HTTPS", "1.3", "https", id="HTTPS as a version"),
        pytest.param("HTTPS", "hsts:-1", "https", id="negative HSTS"),
        pytest.param("HTTPS", "port:443", "https", id="HTTPS with something else"),
        pytest.param("RETENTION", "30", "retention", id="retention of something"),
        pytest.param("RETENTION", "days:-1", "retention", id="retention of negative days"),
        pytest.param("RETENTION", "days:1,days:2", "retention", id="retention of two ages"),
        pytest.param("RETENTION", "free:much", "retention", id="room that is no size"),
        pytest.param("RETENTION", "weeks:2", "retention", id="unknown retention"),
        pytest.param("DATABASE_URL", "detector.sqlite3", "database_url", id="database as a file"),
        pytest.param("DATABASE_URL", "mysql://u@h/n", "database_url", id="database of another kind"),
        pytest.param("DATABASE_URL", "postgres://u@h:port/n", "database_url", id="database with a bad port"),
        pytest.param("DEBUG", "maybe", "debug", id="debug neither true nor false"),
        pytest.param("EMAIL_URL", "mail.a.example", "smtp", id="mail server without a scheme"),
        pytest.param("EMAIL_URL", "smtp://mail.a.example", "smtp", id="mail from nobody"),
        pytest.param("EMAIL_URL", "smtp://me:pw@mail.a.example", "smtp", id="mail from a user that is no address"),
        pytest.param("EMAIL_URL", "smtp://me@h?from=a@b.example", "smtp", id="mail server with half a login"),
        pytest.param("EMAIL_URL", "smtp://h:mail?from=a@b.example", "smtp", id="mail server with a bad port"),
        pytest.param("EMAIL_URL", "smtp://h/in?from=a@b.example", "smtp", id="mail server with a path"),
        pytest.param("EMAIL_URL", "smtp://h?from=a@b.example&to=c@d.example", "smtp", id="mail with an unknown part"),
        pytest.param("EMAIL_URL", "smtp://h?from=a@b%0Ac", "smtp", id="mail from two lines"),
        pytest.param("DRIFT_EMAIL", "ops", "drift_email", id="recipient without a host"),
        pytest.param("DRIFT_EMAIL", "ops@a.example; x@a.example", "drift_email", id="recipients with a semicolon"),
        pytest.param("LOGGING", "xml", "logging", id="unknown log format"),
        pytest.param("LOGGING", "json,loud", "logging", id="unknown log level"),
        pytest.param("LOGGING", "debug,info", "logging", id="two log levels"),
    ],
)
def test_variable_that_does_not_parse_is_named_with_what_to_do(name: str, raw: str, field: str) -> None:
    config = load_config({name: raw})
    (problem,) = config.problems
    assert problem.check_id == "detection.E001"
    assert problem.message.startswith(f"{name} is ")
    assert problem.hint.startswith(f"Set {name} to ")
    assert getattr(config, field) == getattr(load_config({}), field)


def test_all_variables_that_do_not_parse_are_named_at_once() -> None:
    problems = load_config({"REST_PORT": "x", "MODEL_EDGE": "y", "DEBUG": "z"}).problems
    assert [problem.message for problem in problems] == [
        "REST_PORT is 'x', which cannot be used.",
        "MODEL_EDGE is 'y', which cannot be used.",
        "DEBUG is 'z', which cannot be used.",
    ]


def test_mail_goes_to_each_recipient_once() -> None:
    given = {"EMAIL_URL": "smtp://h?from=a@b.example", "DRIFT_EMAIL": "ops@a.example, me+x@localhost,ops@a.example"}
    config = load_config(given)
    assert (config.drift_email, config.problems) == (("ops@a.example", "me+x@localhost"), ())


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({"DATABASE_URL": "postgers://user:hunter2@host/name"}, id="database"),
        pytest.param({"EMAIL_URL": "smtp://user:hunter2@host"}, id="mail server"),
    ],
)
def test_passwords_are_not_repeated(environ: dict[str, str]) -> None:
    (problem,) = load_config(environ).problems
    assert "hunter2" not in problem.message + problem.hint


def test_folders_lie_in_the_data_folder(data_dir: Path) -> None:
    config = load_config({"DATA_DIR": str(data_dir)})
    assert (config.cache_dir, config.photo_dir, config.models_dir) == (
        data_dir / "cache",
        data_dir / "photos",
        data_dir / "models",
    )


@pytest.mark.parametrize(("parts", "edge"), [(("-symbol.json", "-0000.params"), 512), (("-symbol.json",), 0)])
def test_fetched_checkpoint_becomes_the_default_once_it_is_complete(
    data_dir: Path, parts: tuple[str, ...], edge: int
) -> None:
    folder = data_dir / "models" / "resnet50_ssd"
    folder.mkdir(parents=True)
    for part in parts:
        (folder / f"resnet50_ssd_model{part}").touch()
    config = load_config({"DATA_DIR": str(data_dir)})
    assert config.model_edge == edge
    assert (config.model_prefix.parent == folder) is (edge == 512)


@pytest.mark.parametrize(
    ("prefix", "edge"), [("/m/own", 0), ("models/mobilenet_ssd_voc", 0), ("/elsewhere/resnet50_ssd_model", 512)]
)
def test_another_prefix_has_its_own_edge_beside_the_fetched_checkpoint(data_dir: Path, prefix: str, edge: int) -> None:
    folder = data_dir / "models" / "resnet50_ssd"
    folder.mkdir(parents=True)
    for part in ("-symbol.json", "-0000.params"):
        (folder / f"resnet50_ssd_model{part}").touch()
    config = load_config({"DATA_DIR": str(data_dir), "MODEL_PREFIX": prefix})
    assert (config.model_prefix.name, config.model_edge) == (Path(prefix).name, edge)
    assert load_config({"MODEL_PREFIX": prefix, "MODEL_EDGE": "400"}).model_edge == 400


def test_given_secret_key_is_used_and_nothing_is_written(data_dir: Path) -> None:
    assert secret_key(Config(data_dir=data_dir), {"SECRET_KEY": "given"}) == "given"
    assert not data_dir.exists()


def test_secret_key_is_made_once_and_only_its_owner_can_read_it(data_dir: Path) -> None:
    config = Config(data_dir=data_dir)
    make_data_dir(config)
    key = secret_key(config, {})
    assert len(key) >= 50
    assert secret_key(config, {}) == key
    assert sorted(path.name for path in data_dir.iterdir()) == ["detector.sqlite3", "secret_key"]
    assert stat.S_IMODE((data_dir / "secret_key").stat().st_mode) == 0o600


def test_empty_secret_key_file_of_a_full_disk_is_replaced(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "secret_key").touch()
    key = secret_key(Config(data_dir=data_dir), {})
    assert len(key) >= 50
    assert (data_dir / "secret_key").read_text(encoding="ascii") == key


def test_secret_key_is_kept_on_a_file_system_without_links(data_dir: Path) -> None:
    data_dir.mkdir()
    with mock.patch.object(Path, "hardlink_to", side_effect=PermissionError):
        key = secret_key(Config(data_dir=data_dir), {})
    assert secret_key(Config(data_dir=data_dir), {}) == key


def test_processes_that_start_at_once_agree_on_the_secret_key(data_dir: Path) -> None:
    data_dir.mkdir()
    together, keys = threading.Barrier(8), []
    real_open = os.open

    def open_together(*args: Any, **kwargs: Any) -> int:
        together.wait(30)
        return real_open(*args, **kwargs)

    def start() -> None:
        keys.append(secret_key(Config(data_dir=data_dir), {}))

    with mock.patch("detection.conf.key_file.os.open", open_together):
        threads = [threading.Thread(target=start) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


def test_without_a_data_folder_the_secret_key_lives_as_long_as_the_process(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    config = Config(data_dir=tmp_path / "file" / "data")
    make_data_dir(config)
    assert len(secret_key(config, {})) >= 50
    assert secret_key(config, {}) != secret_key(config, {})


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        pytest.param({"DRIFT_EMAIL": "ops@a.example"}, "EMAIL_URL is not", id="mail without a server"),
        pytest.param({"MODEL_ENGINE": "remote"}, "REMOTE_URL is not set", id="no address"),
        pytest.param({"PHOTO_STORE_URL": "s3://photos", "RETENTION": "free:5"}, "on this disk", id="room elsewhere"),
        pytest.param(
            {"MODEL_CONTEXT_GPU": "true", "MODEL_DEVICE": "npu"}, "MODEL_CONTEXT_GPU is true", id="two devices"
        ),
        pytest.param(
            {"REMOTE_URL": "http://gpu:8000?model=a", "MODELS": "b,c"},
            "MODELS names more",
            id="one name for several models",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_told(environ: dict[str, str], sentence: str) -> None:
    (problem,) = load_config(environ).problems
    assert problem.check_id == "detection.E001"
    assert sentence in problem.message


def test_budget_below_one_body_is_a_problem() -> None:
    (problem,) = load_config({"BODY_BUDGET_BYTES": "19999999"}).problems
    assert problem.check_id == "detection.E001"
    assert problem.message == "BODY_BUDGET_BYTES is 19999999, and one body may have 20000000."
    assert "MAX_BODY_BYTES or more" in problem.hint


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_data_folder_and_database_are_their_owners_alone(tmp_path: Path) -> None:
    config = load_config({"DATA_DIR": str(tmp_path / "new" / "data")})
    before = os.umask(0o022)
    try:
        make_data_dir(config)
    finally:
        os.umask(before)
    assert (rights(config.data_dir), rights(config.database_file)) == (0o700, 0o600)


def test_database_of_an_older_version_is_closed_to_others_and_not_to_its_group(tmp_path: Path) -> None:
    config = load_config({"DATA_DIR": str(tmp_path)})
    names = ("detector.sqlite3", "detector.sqlite3-wal", "detector.sqlite3-shm")
    for name in names:
        (tmp_path / name).write_bytes(b"rows")
        (tmp_path / name).chmod(0o664)
    make_data_dir(config)
    assert [rights(tmp_path / name) for name in names] == [0o660] * 3
    assert (tmp_path / names[0]).read_bytes() == b"rows"


def test_no_database_is_made_beside_another_one(tmp_path: Path) -> None:
    make_data_dir(load_config({"DATA_DIR": str(tmp_path), "DATABASE_URL": "postgres://me@127.0.0.1/detector"}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "instead"),
    [
        pytest.param("REMOTE_MODEL", "ssd/3", "REMOTE_URL: http://HOST:PORT?model=ssd/3.", id="remote model"),
        pytest.param("REMOTE_TIMEOUT", "2.5", "REMOTE_URL: http://HOST:PORT?timeout=2.5.", id="remote timeout"),
        pytest.param("REMOTE_CONNECTIONS", "16", "REMOTE_URL: http://HOST:PORT?connections=16.", id="connections"),
        pytest.param("REMOTE_BATCH", "32", "REMOTE_URL: http://HOST:PORT?batch=32.", id="remote batch"),
        pytest.param("RETENTION_DAYS", "30", "RETENTION=days:30.", id="retention by age"),
        pytest.param("RETENTION_COUNT", "1000", "RETENTION=count:1000.", id="retention by number"),
        pytest.param("MIN_FREE_BYTES", "5000", "RETENTION=free:5000.", id="room on the disk"),
        pytest.param("THROTTLE_USER", "600/min", "THROTTLE=user:600/min.", id="throttle of users"),
        pytest.param("THROTTLE_ANON", "10/s", "THROTTLE=address:10/s.", id="throttle of addresses"),
        pytest.param("SHADOW_SHARE", "0.5", "SHADOW_MODEL=NAME:0.5.", id="share of the shadow"),
        pytest.param(
            "CSRF_TRUSTED_ORIGINS", "https://a.example", "ALLOWED_HOSTS=https://a.example.", id="trusted origins"
        ),
        pytest.param("HSTS_SECONDS", "3600", "HTTPS=hsts:3600 in place of HTTPS=true.", id="HSTS"),
        pytest.param("LOG_FORMAT", "json", "LOGGING=json.", id="log format"),
        pytest.param("LOG_LEVEL", "DEBUG", "LOGGING=DEBUG.", id="log level"),
    ],
)
def test_former_setting_is_named_with_what_takes_its_place(name: str, value: str, instead: str) -> None:
    (problem,) = load_config({name: value}).problems
    assert (problem.check_id, problem.message) == ("detection.E005", f"{name} is set, but is no setting any more.")
    assert instead in problem.hint
    assert problem.hint.endswith(f" Then unset {name}.")
    assert load_config({name: ""}).problems == ()


def test_every_former_setting_is_told_and_none_is_read() -> None:
    """All names at once, each with a value that no setting could have."""
    config = load_config(dict.fromkeys(FORMER_SETTINGS, "?"))
    assert [problem.check_id for problem in config.problems] == ["detection.E005"] * len(FORMER_SETTINGS)
    assert replace(config, problems=()) == load_config({})
