"""What this host shall run: the configuration and the command line, read at the start and again at each reload."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from riverrun.errors import ConfigError
from riverrun.settings.load import load
from riverrun.settings.schema import Settings
from riverrun_supervisor.launch import Launch, child_environment
from riverrun_supervisor.plan import ROLES, children
from riverrun_supervisor.storage import Embedded, pointed_at


@dataclasses.dataclass(frozen=True)
class Request:
    """What the command line asked for.

    Attributes:
        config: The configuration file; None: where `load` looks by itself.
        dev: Use the embedded database whatever is configured, and take up handlers that are edited.
        roles: Roles to run on this host.
        queues: Queues for its executors; None: all that are configured.
        environ: Environment variables; children inherit them.
    """

    config: Path | None = None
    dev: bool = False
    roles: tuple[str, ...] = ROLES
    queues: tuple[str, ...] | None = None
    environ: Mapping[str, str] = dataclasses.field(default_factory=lambda: dict(os.environ))


class Configuration:
    """The settings in use, the children they ask for, and the database that comes along if none was named.

    Raises:
        ConfigError: The configuration cannot be used; nothing was started.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self._environ = child_environment(request.environ)
        loaded = load(request.config, environ=self._environ, flags={})
        self._file = loaded.file
        self.settings = loaded.settings
        self.plans = children(self.settings, roles=request.roles, queues=request.queues)
        self.embedded: Embedded | None = None
        if request.dev or not self.settings.database_configured:
            self.embedded = Embedded(self.settings)
            self._environ = pointed_at(self.embedded.dsn, self._environ)
            self.settings = self._load()

    def launch(self, modules: Mapping[str, str]) -> Launch:
        """Return how children are started, so that they find the same configuration."""
        return Launch(modules, self._file, self._environ, self.settings.server_id)

    def reread(self) -> None:
        """Take up what is written now.

        Raises:
            ConfigError: It cannot be used, or not without a restart; nothing has changed.
        """
        settings = self._load()
        problems = [f"{key}: changes only when the daemon is restarted" for key in self._fixed_changes(settings)]
        if problems:
            raise ConfigError(problems)
        plans = children(settings, roles=self.request.roles, queues=self.request.queues)
        self.settings, self.plans = settings, plans

    def _load(self) -> Settings:
        return load(self.request.config, environ=self._environ, flags={}).settings

    def _fixed_changes(self, new: Settings) -> list[str]:
        """Name what has changed of that with which the lease and the connections of this process were made."""
        old = self.settings
        fixed = {
            "server_id": new.server_id == old.server_id,
            "the address of the database": new.dsn() == old.dsn(),
            "postgresql.schema": new.postgresql.schema_name == old.postgresql.schema_name,
            "river.poll_only": new.river.poll_only == old.river.poll_only,
        }
        return [key for key, same in fixed.items() if not same]
