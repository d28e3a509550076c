"""What is shipped for running Riverrun as a service is well formed, and names only what exists."""

from __future__ import annotations

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

from riverrun.settings.load import load
from riverrun_executor.handlers.grpc import OK
from support.names import ROOT, check_command, is_variable, metric_names, metrics_in

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
COMPOSE = DEPLOY / "docker" / "compose.yaml"
RULES = DEPLOY / "prometheus" / "riverrun.rules.yml"
PROMETHEUS = DEPLOY / "prometheus" / "prometheus.yml"
DASHBOARD = DEPLOY / "grafana" / "riverrun.json"

every_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)


@every_unit
def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    copy = tmp_path / unit.name.replace("@.", "@email.")
    copy.write_text(
        unit.read_text(encoding="utf-8").replace("/opt/riverrun/bin/queuectl", sys.executable), encoding="utf-8"
    )

    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", copy],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (found.returncode, found.stderr) == (0, "")


@every_unit
def test_a_unit_runs_a_command_that_exists(unit: Path) -> None:
    program, *words = shlex.split(_values(unit, "ExecStart")[0])

    assert program == "/opt/riverrun/bin/queuectl"
    check_command(words)


@every_unit
def test_a_unit_sets_only_variables_that_exist(unit: Path) -> None:
    names = [value.partition("=")[0] for value in _values(unit, "Environment")]

    assert names
    assert [name for name in names if not is_variable(name)] == []


@every_unit
def test_a_unit_gives_running_jobs_the_time_that_the_defaults_promise(unit: Path) -> None:
    river = load(None, environ={}, flags={}).settings.river

    assert (
        float(_values(unit, "TimeoutStopSec")[0]) >= (river.shutdown_wait + river.shutdown_cancel).total_seconds() + 10
    )
    assert _values(unit, "KillMode") == ["mixed"]
    assert _values(unit, "Type") == ["notify"]
    assert _values(unit, "ExecReload") == ["/bin/kill -HUP $MAINPID"]


def test_the_image_ends_as_a_user_without_rights() -> None:
    final = _final_stage()
    names = [name for name, _ in final]

    assert names[0] == "FROM"
    assert names.index("USER") < names.index("HEALTHCHECK") < names.index("ENTRYPOINT") < names.index("CMD")
    assert "RUN" not in names[names.index("USER") :]
    assert dict(final)["USER"].partition(":")[0] not in ("0", "root")
    assert dict(final)["STOPSIGNAL"] == "SIGTERM"


def test_the_image_runs_commands_that_exist() -> None:
    final = dict(_final_stage())

    assert json.loads(final["ENTRYPOINT"]) == ["queuectl"]
    check_command(json.loads(final["CMD"]))
    probe = json.loads(final["HEALTHCHECK"].partition("CMD ")[2])
    assert probe[0] == "queuectl"
    check_command(probe[1:])


def test_the_image_is_built_from_files_that_exist() -> None:
    sources = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)

    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_images_variables_exist() -> None:
    names = re.findall(r"\bRIVERRUN_\w+", DOCKERFILE.read_text(encoding="utf-8"))

    assert [name for name in names if not is_variable(name)] == []


def test_compose_migrates_once_before_the_daemon_starts() -> None:
    services = _compose()["services"]

    assert services["postgres"]["healthcheck"]["test"][1] == "pg_isready"
    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert services["migrate"]["restart"] == "no"
    assert services["riverrun"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert services["prometheus"]["profiles"] == ["monitoring"]


def test_compose_runs_commands_that_exist_with_a_configuration_that_can_be_used(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a-secret-of-more-than-sixteen-characters\n", encoding="utf-8")
    services = _compose()["services"]

    for name in ("migrate", "riverrun"):
        check_command(services[name]["command"])
        environ = {
            key: str(secret) if key.endswith("_FILE") else value for key, value in services[name]["environment"].items()
        }
        assert [key for key in environ if not is_variable(key)] == []
        assert load(None, environ=environ, flags={}).settings.postgresql.host == "postgres"


def test_compose_mounts_and_builds_from_what_exists() -> None:
    compose = _compose()
    folder = COMPOSE.parent
    mounts = [mount.split(":")[0] for service in compose["services"].values() for mount in service.get("volumes", ())]
    build = compose["services"]["riverrun"]["build"]

    assert [mount for mount in mounts if mount.startswith(".") and not (folder / mount).exists()] == []
    assert [mount for mount in mounts if not mount.startswith(".") and mount not in compose["volumes"]] == []
    assert (folder / build["context"] / build["dockerfile"]).resolve() == DOCKERFILE
    assert {secret for service in compose["services"].values() for secret in service["secrets"]} == set(
        compose["secrets"]
    )


def test_prometheus_scrapes_where_the_daemon_answers() -> None:
    scrape = _yaml(PROMETHEUS)["scrape_configs"][0]
    riverrun = _compose()["services"]["riverrun"]["environment"]

    assert scrape["metrics_path"] == "/metrics"
    assert scrape["static_configs"][0]["targets"] == [f"{riverrun['RIVERRUN_ADMIN__ALLOWED_HOSTS']}:9999"]
    assert _yaml(PROMETHEUS)["rule_files"] == [RULES.name]


def test_every_alert_is_about_metrics_that_exist() -> None:
    rules = [rule for group in _yaml(RULES)["groups"] for rule in group["rules"]]

    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        named = metrics_in(rule["expr"])
        assert named - metric_names() == set(), rule["alert"]
        assert named or "up{" in rule["expr"], rule["alert"]
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}
        assert {"summary", "description"} == set(rule["annotations"])


@pytest.mark.parametrize(
    ("code", "fails"),
    [
        ("200", False),
        ("204", False),
        (OK, False),
        ("429", True),
        ("503", True),
        ("timeout", True),
        ("unavailable", True),
    ],
)
def test_an_alert_on_services_counts_the_calls_that_failed(code: str, fails: bool) -> None:
    rules = {rule["alert"]: rule["expr"] for group in _yaml(RULES)["groups"] for rule in group["rules"]}
    failed, every = re.findall(r"riverrun_handler_requests_total(?:{(.*?)})?\[", rules["RiverrunHandlerServiceFailing"])
    wanted = re.fullmatch(r'code!~"(.*)"', failed)

    assert wanted
    assert every == ""
    assert (re.fullmatch(wanted[1], code) is None) is fails


def test_alerts_speak_of_metrics_and_commands_that_exist() -> None:
    text = RULES.read_text(encoding="utf-8")

    assert metrics_in(text) - metric_names() == set()
    for command in re.findall(r"queuectl ([a-z]+ [a-z]+|status)", text):
        check_command(command.split())


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")

    found = subprocess.run(
        ["promtool", "check", "rules", RULES], capture_output=True, text=True, timeout=30, check=False
    )

    assert found.returncode == 0, found.stderr


def test_every_panel_shows_metrics_that_exist() -> None:
    panels = [panel for panel in _dashboard()["panels"] if panel["type"] != "row"]

    assert len(panels) > 20
    for panel in panels:
        for target in panel["targets"]:
            named = metrics_in(target["expr"])
            assert named - metric_names() == set(), panel["title"]
            assert named or "up{" in target["expr"], panel["title"]


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in _dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}

        assert place["x"] + place["w"] <= 24
        assert not taken & cells, panel["title"]
        taken |= cells


def test_the_dashboards_choices_come_from_metrics_that_exist() -> None:
    choices = [choice for choice in _dashboard()["templating"]["list"] if choice["type"] == "query"]

    assert {choice["name"] for choice in choices} == {"instance", "queue", "kind"}
    for choice in choices:
        assert metrics_in(choice["query"]["query"]) <= metric_names()


def _values(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.+)$", unit.read_text(encoding="utf-8"), re.MULTILINE)


def _final_stage() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile's last stage, each as its name and what follows."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    instructions = [(line.split()[0], line.partition(" ")[2].strip()) for line in text.splitlines() if line.strip()]
    start = max(place for place, (name, _) in enumerate(instructions) if name == "FROM")
    return instructions[start:]


def _compose() -> dict[str, Any]:
    return _yaml(COMPOSE)


def _dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return found


def _yaml(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found
