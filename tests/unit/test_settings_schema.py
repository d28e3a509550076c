"""What the schema derives: connection strings, slots; and that the example and the reference tell all of it."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from riverrun.errors import ConfigError, NotFound
from riverrun.settings.admin import AdminSettings
from riverrun.settings.connection import TIMEOUTS, conninfo_from_url
from riverrun.settings.effective import effective
from riverrun.settings.keys import ROOT, default_text, find, plain_text
from riverrun.settings.load import Loaded, load
from riverrun.settings.reference import reference
from riverrun.settings.schema import PostgresqlSettings, Settings

REPOSITORY = Path(__file__).parents[2]


def settings(**values: object) -> Settings:
    return Settings.model_validate(values)


def test_connection_string_of_a_url_has_bounds_on_every_wait_unless_the_url_has_its_own() -> None:
    url = "postgresql://u:p%40ss@h:1/d?connect_timeout=9&sslmode=require&keepalives=0"

    parts = conninfo_to_dict(settings(database_url=url).dsn())

    expected = {name: str(value) for name, value in TIMEOUTS.items()}
    address = {"user": "u", "password": "p@ss", "host": "h", "port": "1", "dbname": "d", "sslmode": "require"}
    assert parts == expected | address | {"connect_timeout": "9", "keepalives": "0"}


def test_connection_string_of_parts_keeps_difficult_passwords() -> None:
    password = "a 'b' \\ = @:/?#"

    parts = conninfo_to_dict(settings(postgresql={"host": "/run/pg", "password": password}).dsn())

    assert parts["password"] == password
    assert parts["host"] == "/run/pg"
    assert parts["dbname"] == "river_queue"
    assert parts["tcp_user_timeout"] == "3000"


def test_any_libpq_connection_string_gets_the_same_bounds() -> None:
    parts = conninfo_to_dict(conninfo_from_url("host=/run/pg dbname=postgres"))

    assert parts == {name: str(value) for name, value in TIMEOUTS.items()} | {"host": "/run/pg", "dbname": "postgres"}


@pytest.mark.parametrize(
    ("values", "configured"),
    [
        ({}, False),
        ({"postgresql": {"max_conns": 20, "schema": "river"}}, False),
        ({"postgresql": {"port": 5432}}, True),
        ({"postgresql": {"password": "x"}}, True),
        ({"database_url": "postgres:///x?host=/run"}, True),
    ],
)
def test_a_database_is_configured_once_any_part_of_its_address_is_given(
    values: dict[str, object], configured: bool
) -> None:
    assert settings(**values).database_configured is configured


def test_without_a_database_there_is_no_connection_string() -> None:
    with pytest.raises(ConfigError, match="no database is configured; set database_url"):
        settings().dsn()


def test_min_conns_follows_a_smaller_max_conns() -> None:
    assert PostgresqlSettings(max_conns=6).min_conns == 6
    assert PostgresqlSettings().min_conns == 10


@given(slots=st.integers(1, 10_000), processes=st.integers(1, 64))
def test_slots_are_shared_evenly_and_none_is_lost(slots: int, processes: int) -> None:
    slots = max(slots, processes)
    queues = {"default": {"max_workers": slots, "processes": processes}}

    shares = settings(river={"queues": queues}).river.slots_of("default")

    assert sum(shares) == slots
    assert len(shares) == processes
    assert max(shares) - min(shares) <= 1


def test_slots_of_a_queue_that_is_not_served_here() -> None:
    with pytest.raises(NotFound, match="queue email does not exist"):
        settings().river.slots_of("email")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    assert AdminSettings(host=host).tokens == []


def test_secrets_show_nowhere() -> None:
    shown = settings(
        database_url="postgres://u:s3cret@h/d",
        admin={"tokens": ["s3cret-s3cret-s3cret"]},
        schedules={"a1": {"task_type": "email", "every": 5, "task_params": {"key": "s3cret"}}},
    )

    texts = [str(entry) for entry in effective(Loaded(shown, {}, None))]

    assert "s3cret" not in "".join(texts)
    assert "s3cret" not in repr(shown.admin) + repr(shown.database_url)


def test_no_setting_could_be_taken_for_the_file_of_another() -> None:
    names = {key.environment for key in ROOT.settings()}

    assert not any(name.endswith("_FILE") for name in names)


def test_every_setting_has_a_meaning() -> None:
    assert [key.dotted for key in ROOT.settings() if not (key.field and key.field.description)] == []


def test_reference_page_is_what_the_schema_says() -> None:
    assert (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8") == reference()


def test_example_starts_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    loaded = load(REPOSITORY / "config.example.yaml", environ={}, flags={})

    given = {entry.path for entry in effective(loaded) if entry.source != "default"}
    assert not loaded.settings.database_configured
    assert set(loaded.settings.river.queues) == {"default", "email"}
    assert given == {
        ("river", "queues", "default", "max_workers"),
        ("river", "queues", "email", "max_workers"),
        ("river", "queues", "default", "priority"),
        ("river", "queues", "default", "processes"),
        ("river", "queues", "email", "priority"),
        ("river", "queues", "email", "processes"),
        ("handlers", "modules"),
    }


def test_example_documents_every_setting_with_its_default(tmp_path: Path) -> None:
    example = (REPOSITORY / "config.example.yaml").read_text(encoding="utf-8")
    everything = re.sub(r"(?m)^( *)#(?=[a-z][a-z_-]*:)(?!database_url)", r"\1", example)
    file = tmp_path / "all.yaml"
    file.write_text(everything)
    one_line = re.findall(r'(?m)^#database_url: "(.+)"$', example)

    loaded = load(file, environ={}, flags={})

    documented = {key.path for path in loaded.sources if (key := find(path))}
    assert conninfo_to_dict(one_line[0])["dbname"] == "river_queue"
    assert {key.path for key in ROOT.settings()} - documented == {("database_url",)}
    differing = {
        ".".join(entry.path)
        for entry in effective(loaded)
        if (key := find(entry.path)) and entry.path[0] != "schedules" and entry.path in loaded.sources
        if default_text(key) not in {"", "[]", plain_text(entry.value, key=key).strip(string.whitespace)}
    }
    assert differing == set()
