"""What every request may need, in one typed place."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web

from riverrun.masking import Mask
from riverrun.role import RoleContext
from riverrun.settings.admin import AdminSettings
from riverrun.settings.schema import Settings
from riverrun_admin.bulk_worker import BulkWorker
from riverrun_admin.database import Database
from riverrun_admin.door import Door
from riverrun_admin.events import Events
from riverrun_admin.histories import Histories
from riverrun_admin.known_tokens import KnownTokens
from riverrun_admin.overview import Overview
from riverrun_admin.recent import Recent
from riverrun_admin.tallies import Tallies
from riverrun_admin.tls import Tls


@dataclass(slots=True, kw_only=True)
class Services:
    """The parts of one admin process.

    Attributes:
        context: The process: its settings, its way to the supervisor, whether it drains.
        door: Who may come in; replaced, as ``mask``, when the configuration is read again.
        known_tokens: The tokens in the database.
        mask: What of jobs is not shown.
        schema_checked: Set once the tables were found to be ones that this release works on.
        recent: Answers that are a few seconds old.
        histories: What charts show of the time that is over.
        streams: Lets in few requests at once whose bodies are taken while a transaction is open.
        tallies: Counts what the audit log has one entry for many of.
    """

    context: RoleContext
    database: Database
    door: Door
    known_tokens: KnownTokens
    mask: Mask
    tls: Tls
    bulk: BulkWorker
    overview: Overview
    recent: Recent
    histories: Histories
    events: Events
    schema_checked: asyncio.Event
    streams: asyncio.Semaphore
    tallies: Tallies

    @property
    def settings(self) -> Settings:
        """The configuration as it was last read."""
        return self.context.settings

    def changed(self) -> None:
        """Let those who look see at once what has just been changed."""
        self.overview.forget()
        self.recent.forget()
        self.events.look_now()


def mask_of(admin: AdminSettings) -> Mask:
    """Return what is hidden of jobs under ``admin``."""
    return Mask(admin.mask_names, admin.mask_patterns)


SERVICES = web.AppKey("SERVICES", Services)


def services(request: web.Request) -> Services:
    """Return the parts that serve ``request``."""
    return request.app[SERVICES]
