"""Gives commands the database that is configured; they work without a daemon, which is what incidents need."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from riverrun_cli.options import config_option, database_options, resolve_settings

if TYPE_CHECKING:
    from riverrun import Client
    from riverrun.masking import Mask
    from riverrun.settings.schema import Settings


@dataclass(frozen=True)
class Access:
    """The database that the options of a command name, opened when it is needed."""

    config: Path | None
    database_url: str | None
    schema: str | None

    @functools.cached_property
    def settings(self) -> Settings:
        """The configuration that the command works with.

        Raises:
            ConfigError: Anything in it is wrong.
        """
        return resolve_settings(self.config, database_url=self.database_url, schema=self.schema).settings

    @property
    def mask(self) -> Mask:
        """What of jobs is not shown."""
        from riverrun.masking import Mask  # noqa: PLC0415 - as below

        return Mask(self.settings.admin.mask_names, self.settings.admin.mask_patterns)

    @property
    def dsn(self) -> str:
        """The connection string of the configured database, else of the embedded one if it runs.

        Raises:
            ConfigError: There is neither.
        """
        from riverrun.client_base import embedded_dsn  # noqa: PLC0415 - the help of a command does not wait for it

        settings = self.settings
        return settings.dsn() if settings.database_configured else embedded_dsn(settings.embedded.data_dir)

    def client(self) -> Client:
        """Return a client of that database.

        Raises:
            ConfigError: There is none.
        """
        from riverrun import Client  # noqa: PLC0415 - as above

        return Client(self.dsn, schema=self.settings.postgresql.schema_name, max_connections=1)


def with_database(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name a database; the command gets an `Access` as its first argument."""

    @config_option
    @database_options
    @functools.wraps(function)
    def command(*, config: Path | None, database_url: str | None, schema: str | None, **options: object) -> None:
        function(Access(config, database_url, schema), **options)

    return command
