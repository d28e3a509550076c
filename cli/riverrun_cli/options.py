"""The options that several commands share, and how they become settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from riverrun_cli.output import FORMATS

if TYPE_CHECKING:
    from riverrun.settings.load import Loaded

Decorated = TypeVar("Decorated", bound=Callable[..., object])


def config_option(function: Decorated) -> Decorated:
    """Add ``--config FILE``, handed over as ``config``."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Configuration file; without it $RIVERRUN_CONFIG, else ./config.yaml if there is one.",
    )(function)


def database_options(function: Decorated) -> Decorated:
    """Add ``--database-url URL`` and ``--schema S``, handed over as ``database_url`` and ``schema``."""
    function = click.option("--schema", metavar="S", help="PostgreSQL schema that holds the tables.")(function)
    return click.option(
        "--database-url",
        metavar="URL",
        help="postgres://user:password@host/database; other users can see it, DATABASE_URL they cannot.",
    )(function)


def output_option(function: Decorated) -> Decorated:
    """Add ``-o FORMAT``, handed over as ``output``."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(FORMATS),
        default="table",
        show_default=True,
        help="Form of the answer; table is tab-separated where no terminal reads it.",
    )(function)


def resolve_settings(
    config: Path | None = None,
    *,
    database_url: str | None = None,
    schema: str | None = None,
    flags: dict[str, object] | None = None,
) -> Loaded:
    """Return the configuration that a command works with: file, environment, then its options.

    Args:
        flags: Values of further options by dotted path; ``None`` means not given.

    Raises:
        ConfigError: Anything in it is wrong.
    """
    # Imported here, so that the help of a command does not wait for the validator of settings.
    from riverrun.settings.load import load  # noqa: PLC0415

    given = {"database_url": database_url, "postgresql.schema": schema, **(flags or {})}
    return load(config, environ=os.environ, flags=given)
