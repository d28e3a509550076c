"""What every request may need, in one typed place."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web

from riverrun.role import RoleContext
from riverrun.settings.schema import Settings
from riverrun_admin.database import Database
from riverrun_admin.door import Door
from riverrun_admin.overview import Overview
from riverrun_admin.recent import Recent


@dataclass(slots=True, kw_only=True)
class Services:
    """The parts of one admin process.

    Attributes:
        context: The process: its settings, its way to the supervisor, whether it drains.
        door: Who may come in; replaced when the configuration is read again.
        schema_checked: Set once the tables were found to be those of this release.
        recent: Answers that are a few seconds old.
        streams: Lets in few requests at once whose bodies are taken while a transaction is open.
    """

    context: RoleContext
    database: Database
    door: Door
    overview: Overview
    recent: Recent
    schema_checked: asyncio.Event
    streams: asyncio.Semaphore

    @property
    def settings(self) -> Settings:
        """The configuration as it was last read."""
        return self.context.settings


SERVICES = web.AppKey("SERVICES", Services)


def services(request: web.Request) -> Services:
    """Return the parts that serve ``request``."""
    return request.app[SERVICES]
