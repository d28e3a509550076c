"""Options of ``queuectl handler register`` and ``update`` that say how a service is called."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from riverrun_cli.language import say

F = TypeVar("F", bound=Callable[..., Any])

_CALLS = (
    click.option("--backoff", help='How long failed jobs wait, as JSON: {"type": "fixed", "delay_s": 30}, …'),
    click.option("--concurrency", type=int, help="Calls at the same time from one executor process."),
    click.option(
        "--header", "headers", multiple=True, metavar="NAME=VALUE", help="VALUE may be @env:NAME or @file:PATH."
    ),
    click.option("--ca-file", help="Whom to trust; a path on the executors' hosts, as the next two."),
    click.option("--cert-file", help="Our certificate for mutual TLS."),
    click.option("--key-file", help="The key of that certificate, if it is in a file of its own."),
    click.option("--health-url", help="Asked every 15 seconds whether the service is well."),
    click.option("--cancel-url", help="Told when an attempt was given up."),
    click.option("--body", help="What requests carry: envelope, args or cloudevents."),
    click.option("--idle-timeout", type=float, metavar="SECONDS", help="How long a streamed answer may be silent."),
    click.option("--throttle", help="Whether 429 uses up an attempt: retry or snooze."),
    click.option("--client-errors", help="What 400, 413, 415 and 422 do: discard or retry."),
)


def call_options(command: F) -> F:
    """Add the options that say how a service is called."""
    for option in reversed(_CALLS):
        command = option(command)
    return command


def settings_of(said: dict[str, Any]) -> dict[str, object]:
    """Take the options about calls out of ``said`` and return what they say."""
    headers: dict[str, object] = {}
    for field in said.pop("headers"):
        name, sign, value = field.partition("=")
        if not sign:
            raise click.UsageError(say(f"--header {name!r}: expected NAME=VALUE"))
        kind, _, place = value.partition(":")
        headers[name] = {kind[1:]: place} if kind in ("@env", "@file") else value
    tls = {name: path for name in ("ca_file", "cert_file", "key_file") if (path := said.pop(name)) is not None}
    backoff = said.pop("backoff")
    if backoff is not None:
        try:
            backoff = json.loads(backoff)
        except ValueError as error:
            raise click.UsageError(say(f"--backoff is not JSON: {error}")) from error
    plain = ("concurrency", "health_url", "cancel_url", "body", "idle_timeout", "throttle", "client_errors")
    given = {"backoff": backoff, "headers": headers or None, "tls": tls or None}
    return {**given, **{name: said.pop(name) for name in plain}}
