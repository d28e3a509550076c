"""Whoever starts the daemon by hand is shown lines that work as they stand."""

from __future__ import annotations

from pathlib import Path

from riverrun.settings.load import load
from riverrun_supervisor.greeting import greeting


def test_a_job_is_offered_only_where_the_examples_would_run_it() -> None:
    ours = load(None, environ={}, flags={}).settings

    assert greeting(ours) == "\n  Dashboard    http://127.0.0.1:9999/admin/queue/dashboard\n"


def test_the_lines_say_https_and_want_a_token_where_the_api_does(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "handlers: {modules: [riverrun.examples]}\n"
        "admin: {host: 0.0.0.0, require_token: true, tls_key: a.key, tls_cert: a.pem}\n"
    )

    lines = greeting(load(config, environ={}, flags={}).settings)

    assert "https://127.0.0.1:9999/admin/queue/enqueue -H 'Authorization: Bearer <token>'" in lines
    assert "http://" not in lines
