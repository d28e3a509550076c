"""Bad configuration: every mistake at once, each a sentence with key, value, what is allowed and where it stands."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riverrun.errors import ConfigError
from riverrun.settings.load import load


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems(text: str | bytes | None = None, environ: dict[str, str] | None = None) -> str:
    if text is not None:
        Path("config.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigError) as refused:
        load(None, environ=environ or {}, flags={})
    assert all(refused.value.problems)
    return "\n".join(refused.value.problems)


def test_all_problems_are_told_at_once_each_with_its_line() -> None:
    found = problems(
        "admin:\n  port: 70000\n  prot: 1\nriver:\n  max_attempts: ten\nlog: {level: loud}\n",
        {"RIVERRUN_RIVER__WORKERS": "0", "RIVERRUN_ADMN__PORT": "1"},
    )

    assert found.splitlines() == [
        "RIVERRUN_ADMN__PORT: no such setting; did you mean RIVERRUN_ADMIN__PORT?",
        "log.level: 'loud' is not allowed; expected one of debug, info, warning, error (config.yaml line 6)",
        "river.workers: '0' is not allowed; expected a whole number from 1 to 10000 (RIVERRUN_RIVER__WORKERS)",
        "river.max_attempts: 'ten' is not allowed; expected a whole number from 1 to 32767 (config.yaml line 5)",
        "admin.port: 70000 is not allowed; expected a whole number from 0 to 65535 (config.yaml line 2)",
        "admin.prot: unknown key; did you mean port? (config.yaml line 3)",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("river: {workers: true}", "river.workers: True is not allowed; expected a whole number from 1 to 10000"),
        ("river: {workers: 1.5}", "river.workers: 1.5 is not allowed; expected a whole number"),
        ("river: {workers: 5e400}", "river.workers: inf is not allowed; expected a whole number"),
        ("river: {workers: -1}", "river.workers: -1 is not allowed"),
        ("river: {enable: 7}", "river.enable: 7 is not allowed; expected true or false"),
        ("river: 5", "river: this value is not allowed; expected a mapping of keys"),
        ("river: {queues: [default]}", "river.queues: this value is not allowed; expected a mapping of names"),
        ("river: {queues: {}}", "river.queues: this value is not allowed; expected at least one"),
        ("river: {queues: {A b: {}}}", "river.queues.A b: 'A b' is not allowed; expected 1 to 64 lower-case"),
        ("river: {queues: {a: 5}}", "river.queues.a: this value is not allowed; expected a mapping of keys"),
        ("river: {queues: {a: {priority: 10}}}", "river.queues.a.priority: 10 is not allowed"),
        ("river: {queues: {a: {processes: 9, max_workers: 8}}}", "expected at least one slot for each process"),
        ("river: {poll_interval: 1ms}", "river.poll_interval: '1ms' is not allowed; expected a time such as"),
        ("river: {rescue_stuck_jobs_after: 1 fortnight}", "river.rescue_stuck_jobs_after: '1 fortnight'"),
        ("river: {shutdown_wait: -5}", "river.shutdown_wait: -5 is not allowed"),
        ("river: {job_timeout: 2h}", "expected at most river.rescue_stuck_jobs_after"),
        ("river: {leadership: maybe}", "expected one of lead, follow, off"),
        ("river: {reindex: {schedule: sometimes}}", "river.reindex.schedule: 'sometimes' is not allowed; expected "),
        ("river: {reindex: {schedule: sometimes}}", ", or off"),
        ("river: {max_attempt: 3}", "river.max_attempt: unknown key; did you mean max_attempts?"),
        ("postgresql: {max_conns: 5, min_conns: 6}", "expected at most postgresql.max_conns, which is 5"),
        ("postgresql: {ssl_mode: disabled}", "expected one of disable, allow"),
        ("postgresql: {host: 5}", "postgresql.host: 5 is not allowed; expected text"),
        ("postgresql: {host: ''}", "postgresql.host: '' is not allowed; expected text with at least one character"),
        ("postgresql: {schema: 'a b'}", "postgresql.schema: 'a b' is not allowed"),
        ("admin: {host: 0.0.0.0}", "expected at least one token, because other machines can reach 0.0.0.0; set admin"),
        ("admin: {host: example.org}", "RIVERRUN_ADMIN__TOKENS_FILE"),
        ("handlers: {modules: shop}", "handlers.modules: 'shop' is not allowed; expected a list"),
        ("handlers: {modules: [../shop]}", "handlers.modules.0: '../shop' is not allowed; expected the name of a"),
        (
            "notifications: {channels: {ops: {type: email, url: 'smtp://mail', to: [ops]}}}",
            "notifications.channels.ops.to.0: 'ops' is not allowed; expected an e-mail address such as ops@example",
        ),
        (
            "notifications: {rules: {late: {event: late_schedule, channels: [Ops team]}}}",
            "notifications.rules.late.channels.0: 'Ops team' is not allowed; expected lower-case letters and digits",
        ),
        (
            "admin: {sso: {user_header: 'X User'}}",
            "admin.sso.user_header: 'X User' is not allowed; expected the name of a header field",
        ),
        ("handlers: {path: lib}", "handlers.path: 'lib' is not allowed; expected a list"),
        ("schedules: {s1: {task_type: a1}}", "schedules.s1.every: nothing is given; expected either cron or every"),
        ("schedules: {s1: {task_type: a1, cron: '@daily', every: 5}}", "expected either cron or every, and not both"),
        ("schedules: {s1: {task_type: a1, cron: 61 * * * *}}", "schedules.s1.cron: '61 * * * *' is not allowed"),
        ("schedules: {s1: {task_type: a1, cron: '* * * * * *'}}", "expected five fields (minute hour"),
        ("schedules: {s1: {task_type: a1, cron: 0 0 30 2 *}}", "expected a day that exists in one of its months"),
        ("schedules: {s1: {task_type: a1, cron: '@every 5'}}", "expected '@every' with a duration"),
        (
            "schedules: {s1: {task_type: a1, every: 5, unique: {by_period: 10ms}}}",
            "schedules.s1.unique.by_period: '10ms'",
        ),
        (
            "schedules: {s1: {task_type: a1, every: 5, unique: {by_state: [running]}}}",
            "by_state to be a list of states",
        ),
        ("schedules: {s1: {task_type: a1, every: 5, unique: {exclude_kind: true}}}", "exclude_kind to be by_args, by_"),
        ("schedules: {s1: {cron: '@daily'}}", "schedules.s1.task_type: it is required"),
        ("schedules: {s1: {task_type: a1, every: 5, timezone: Mars/X}}", "expected a zone of the time zone"),
        ("schedules: {s1: {task_type: a1, every: 5, queue: B}}", "schedules.s1.queue: 'B' is not allowed"),
        ("schedules: {s1: {task_type: a1, every: 5, task_params: [1]}}", "schedules.s1.task_params: this value is not"),
        ("schedules: {s1: {task_type: a1, every: 5, task_params: {1: 2}}}", "expected a mapping with text keys"),
        ("server_id: a b", "server_id: 'a b' is not allowed"),
        ("colour: red", "colour: unknown key; expected one of server_id, log_path"),
    ],
)
def test_wrong_values_are_refused_with_a_sentence(text: str, sentence: str) -> None:
    found = problems(text)

    assert sentence in found
    assert "(config.yaml line 1)" in found or found.startswith("admin.tokens")
    assert len(found.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- a\n- b\n", "config.yaml: no mapping stands at its top"),
        ("just words", "config.yaml: no mapping stands at its top"),
        ("river:\n\tworkers: 5\n", "config.yaml: line 2, column 1: a tab stands where only spaces may"),
        ("river:\n  workers: 5\n  workers: 6\n", "line 3: workers is written twice, first on line 2"),
        ("schedules: {a1: {task_type: x1, every: 5, task_params: {k: 1, k: 2}}}", "k is written twice"),
        ("river: {", "config.yaml: line 1, column 9"),
        ("a: 1\n---\nb: 2\n", "config.yaml: line 2, column 1: but found another document"),
        (b"log_path: \xff\xfe", "config.yaml: byte 11 is not UTF-8"),
        (b"log_path: a\x00b", "config.yaml: it is not YAML"),
        ('log_path: "a\\0b"', "line 1: a NUL character"),
        ("[" * 5_000, "config.yaml: "),
        ("? [a]\n: 1\n", "line 1: a list or a mapping stands as a key"),
        ("a: &x [*x]\n", "config.yaml: it is nested too deeply"),
        ("server_id: !!python/object/apply:os.getcwd []\n", "stands without quotes"),
        ("x" * 1_048_577, "config.yaml: it has 1048577 bytes; expected at most 1048576"),
    ],
)
def test_files_that_are_no_configuration_are_refused_with_a_sentence(text: str | bytes, sentence: str) -> None:
    assert sentence in problems(text)


def test_aliases_that_multiply_are_bounded() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]

    assert "its aliases make more than 100000 values" in problems("\n".join(lines))


def test_no_and_underscores_and_leading_zeros_mean_what_they_say(folder: Path) -> None:
    (folder / "config.yaml").write_text(
        "postgresql: {host: no}\nriver: {enable: yes, workers: 1_000}\nadmin: {port: 080}\n"
    )

    loaded = load(None, environ={}, flags={}).settings

    assert loaded.postgresql.host == "no"
    assert loaded.river.enable
    assert loaded.river.workers == 1000
    assert loaded.admin.port == 80


@pytest.mark.parametrize(
    "text",
    [
        "postgresql: {password: 90125}",
        "postgresql: {passwrod: s3cret-value}",
        "postgresql: {password: [s3cret-value]}",
        "postgresql: s3cret-value",
        "postgresql: {password: *s3cret-value}",
        "postgresql: {password: !s3cret-value x}",
        "postgresql: {password: @s3cret-value}",
        "postgresql: {password: 's3cret-value",
        "database_url: mysql://u:s3cret-value@h/d",
        "database_url: postgres://u:s3cret-value/x@h/d",
        "database_url: postgres://u:p@h/d?sslmod=s3cret-value",
        "admin: {tokens: [s3cret-value]}",
        "admin: {tokens: s3cret-value}",
        "schedules: {s1: {task_type: a1, every: 5, task_params: [s3cret-value]}}",
        "s3cret-value",
    ],
)
def test_a_refused_secret_is_never_repeated(text: str) -> None:
    found = problems(text)

    assert "s3cret" not in found
    assert "90125" not in found


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"RIVERRUN_RIVER__QUEUES": "{"}, "RIVERRUN_RIVER__QUEUES: line 1, column 2"),
        ({"RIVERRUN_RIVER__QUEUES": "5"}, "river.queues: this value is not allowed"),
        ({"RIVERRUN_": "5"}, "RIVERRUN_: no such setting"),
        ({"RIVERRUN_ADMIN__": "5"}, "RIVERRUN_ADMIN__: no such setting"),
        ({"RIVERRUN_ADMIN__PORT__X": "5"}, "RIVERRUN_ADMIN__PORT__X: no such setting; did you mean"),
        ({"RIVERRUN_ADMIN__PORT_FILE": "/none"}, "RIVERRUN_ADMIN__PORT_FILE: /none cannot be read: No such file"),
        ({"RIVERRUN_ADMIN__PORT_FILE": "x", "RIVERRUN_ADMIN__PORT": "1"}, "RIVERRUN_ADMIN__PORT is given too"),
        ({"RIVERRUN_CONFIG": "none.yaml"}, "none.yaml cannot be read: No such file or directory"),
        ({"DATABASE_URL": "sqlite:///x"}, "expected postgres://user:password@host:port/database"),
    ],
)
def test_wrong_variables_are_refused_with_a_sentence(environ: dict[str, str], sentence: str) -> None:
    assert sentence in problems(environ=environ)


def test_unknown_flags_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"river\.colour: unknown key"):
        load(None, environ={}, flags={"river.colour": 5})


@given(st.text(max_size=200) | st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
def test_no_text_makes_the_loader_fail_in_another_way(text: str | bytes) -> None:
    Path("config.yaml").write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))

    with contextlib.suppress(ConfigError):
        load(None, environ={}, flags={})
