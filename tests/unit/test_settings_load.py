"""How file, environment and flags come together, and what each value says about its source."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from riverrun.errors import ConfigError
from riverrun.settings.effective import effective
from riverrun.settings.load import Loaded, load

QUICK_START = """\
postgresql:
  host: "localhost"          # database host
  port: 5432
  username: "postgres"
  password: "your_password"
  database: "river_queue"
  ssl_mode: "disable"
  max_conns: 100
  min_conns: 10
river:
  enable: true
  workers: 50
  poll_only: false
  insert_only: false
  rescue_stuck_jobs_after: "1h"
  max_attempts: 3
  queues:
    default:
      max_workers: 20
      priority: 1
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(text: str | None = None, environ: dict[str, str] | None = None, **flags: object) -> Loaded:
    if text is not None:
        Path("config.yaml").write_text(text, encoding="utf-8")
    return load(None, environ=environ or {}, flags=flags)


def test_without_any_source_every_value_is_its_default() -> None:
    result = loaded()

    assert result.file is None
    assert not result.settings.database_configured
    assert list(result.settings.river.queues) == ["default"]
    assert {entry.source for entry in effective(result)} == {"default"}


def test_quick_start_configuration_is_taken_as_written() -> None:
    settings = loaded(QUICK_START).settings

    assert settings.river.max_attempts == 3
    assert settings.river.rescue_stuck_jobs_after == timedelta(hours=1)
    assert settings.river.slots_of("default") == [20]
    assert settings.database_configured
    assert "host=localhost" in settings.dsn()
    assert "sslmode=disable" in settings.dsn()


def test_flags_win_over_environment_and_environment_over_the_file_field_by_field() -> None:
    text = "admin: {host: localhost, port: 1}\nriver: {workers: 3, queues: {email: {max_workers: 2, processes: 2}}}\n"
    environ = {"RIVERRUN_ADMIN__PORT": "2", "RIVERRUN_RIVER__QUEUES__EMAIL__MAX_WORKERS": "9"}

    result = loaded(text, environ, **{"admin.port": 3})

    assert result.settings.admin.port == 3
    assert result.settings.admin.host == "localhost"
    assert result.settings.river.slots_of("email") == [5, 4]
    assert result.source_of(("admin", "port")) == "command line"
    assert result.source_of(("admin", "host")) == "config.yaml line 1"
    assert result.source_of(("river", "workers")) == "config.yaml line 2"
    assert result.source_of(("river", "queues", "email", "max_workers")) == "RIVERRUN_RIVER__QUEUES__EMAIL__MAX_WORKERS"
    assert result.source_of(("river", "queues", "email", "priority")) == "config.yaml line 2"
    assert result.source_of(("river", "poll_only")) == "default"


def test_a_queue_without_keys_is_served_with_defaults() -> None:
    assert loaded("river:\n  workers: 7\n  queues:\n    email:\n").settings.river.slots_of("email") == [7]


def test_sections_and_keys_without_a_value_are_not_given() -> None:
    settings = loaded("postgresql:\n  host:\nriver:\nserver_id: ~\n").settings

    assert not settings.database_configured


def test_relative_paths_begin_at_the_folder_of_the_file(folder: Path) -> None:
    (folder / "etc").mkdir()
    file = folder / "etc" / "a.yaml"
    file.write_text("log_path: logs\nhandlers: {path: [lib, /abs]}\nembedded: {data_dir: ../data}\n")

    settings = load(Path("etc/a.yaml"), environ={}, flags={}).settings

    assert settings.log_path == folder / "etc" / "logs"
    assert settings.handlers.path == [folder / "etc" / "lib", Path("/abs")]
    assert settings.embedded.data_dir == folder / "etc" / ".." / "data"


def test_relative_paths_of_the_environment_begin_at_the_current_folder(folder: Path) -> None:
    assert loaded(environ={"RIVERRUN_LOG_PATH": "logs"}).settings.log_path == folder / "logs"


def test_configuration_file_is_found_by_flag_then_variable_then_name(folder: Path) -> None:
    for port, name in ((1, "config.yaml"), (2, "variable.yaml"), (3, "flag.yaml")):
        (folder / name).write_text(f"admin: {{port: {port}}}\n")
    environ = {"RIVERRUN_CONFIG": "variable.yaml"}

    ports = [
        load(None, environ={}, flags={}).settings.admin.port,
        load(None, environ=environ, flags={}).settings.admin.port,
        load(Path("flag.yaml"), environ=environ, flags={}).settings.admin.port,
    ]

    assert ports == [1, 2, 3]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("RIVERRUN_HANDLERS__MODULES", "shop.jobs, shop.mail", ["shop.jobs", "shop.mail"]),
        ("RIVERRUN_HANDLERS__MODULES", "shop.jobs\nshop.mail\n", ["shop.jobs", "shop.mail"]),
        ("RIVERRUN_HANDLERS__MODULES", '["shop.jobs"]', ["shop.jobs"]),
        ("RIVERRUN_HANDLERS__MODULES", "- shop.jobs\n- shop.mail", ["shop.jobs", "shop.mail"]),
        ("RIVERRUN_HANDLERS__MODULES", "[]", []),
    ],
)
def test_lists_in_the_environment(name: str, value: str, expected: list[str]) -> None:
    assert loaded(environ={name: value}).settings.handlers.modules == expected


def test_mappings_in_the_environment_are_json_or_yaml_and_deeper_names_win() -> None:
    environ = {
        "RIVERRUN_RIVER__QUEUES__MAIL__MAX_WORKERS": "4",
        "RIVERRUN_RIVER__QUEUES": '{"mail": {"max_workers": 1, "processes": 2}, "a-b": {}}',
        "RIVERRUN_SCHEDULES__TICK__TASK_TYPE": "echo",
        "RIVERRUN_SCHEDULES__TICK__EVERY": "90",
        "RIVERRUN_SCHEDULES__TICK__TASK_PARAMS": '{"country": "no", "zero": "01", "nothing": null}',
    }

    settings = loaded(environ=environ).settings

    assert settings.river.slots_of("mail") == [2, 2]
    assert settings.river.slots_of("a-b") == [50]
    assert settings.schedules["tick"].every == timedelta(seconds=90)
    assert settings.schedules["tick"].task_params == {"country": "no", "zero": "01", "nothing": None}


def test_truth_values_and_empty_variables_of_the_environment() -> None:
    settings = loaded(environ={"RIVERRUN_RIVER__POLL_ONLY": "on", "RIVERRUN_ADMIN__PORT": ""}).settings

    assert settings.river.poll_only
    assert settings.admin.port == 9999


def test_secrets_come_from_files(folder: Path) -> None:
    (folder / "password").write_text("pä ss\n")
    (folder / "tokens").write_text("0123456789abcdef\nfedcba9876543210\n")

    result = loaded(
        environ={
            "RIVERRUN_POSTGRESQL__PASSWORD_FILE": str(folder / "password"),
            "RIVERRUN_ADMIN__TOKENS_FILE": "tokens",
            "RIVERRUN_ADMIN__HOST": "0.0.0.0",
        }
    )

    assert result.settings.postgresql.password is not None
    assert result.settings.postgresql.password.get_secret_value() == "pä ss"
    assert [token.get_secret_value() for token in result.settings.admin.tokens][1] == "fedcba9876543210"
    assert result.source_of(("postgresql", "password")) == "RIVERRUN_POSTGRESQL__PASSWORD_FILE"


def test_riverrun_database_url_wins_over_database_url_and_both_over_the_file() -> None:
    url = "postgres://a@{}/db"
    file = "postgresql: {host: in-file, password: x, max_conns: 20}\n"

    from_plain = loaded(file, {"DATABASE_URL": url.format("plain")})
    from_ours = loaded(file, {"DATABASE_URL": url.format("plain"), "RIVERRUN_DATABASE_URL": url.format("ours")})
    from_flag = loaded(file, {"RIVERRUN_POSTGRESQL__HOST": "part"}, database_url=url.format("flag"))

    assert "host=plain" in from_plain.settings.dsn()
    assert "host=ours" in from_ours.settings.dsn()
    assert "host=flag" in from_flag.settings.dsn()
    assert from_plain.settings.postgresql.max_conns == 20
    assert "in-file" not in from_plain.settings.postgresql.host


def test_url_and_parts_of_equal_or_higher_source_are_refused_together() -> None:
    with pytest.raises(ConfigError) as same_file:
        loaded("database_url: postgres://a@b/c\npostgresql: {host: d}\n")
    with pytest.raises(ConfigError) as part_wins:
        loaded(environ={"DATABASE_URL": "postgres://a@b/c", "RIVERRUN_POSTGRESQL__PASSWORD": "x"})

    assert "database_url (config.yaml line 1) and postgresql.host (config.yaml line 2) are both given" in str(
        same_file.value
    )
    assert "postgresql.password (RIVERRUN_POSTGRESQL__PASSWORD)" in str(part_wins.value)
