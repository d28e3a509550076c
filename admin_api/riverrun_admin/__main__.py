"""The admin process: serves the HTTP API, the dashboard and /metrics, whether or not the database can be reached."""

from __future__ import annotations

import asyncio
import errno
import logging
from datetime import timedelta

from aiohttp import web

from riverrun.database.schema_check import check
from riverrun.errors import ConfigError, DatabaseUnavailable
from riverrun.messages import Control
from riverrun.process import RoleContext, run_role
from riverrun.reconnect_wait import ReconnectWait
from riverrun.settings.admin import AdminSettings
from riverrun.tasks import end, unless
from riverrun_admin.app import build
from riverrun_admin.bulk_worker import BulkWorker
from riverrun_admin.connections import IDLE_SECONDS, Entrance
from riverrun_admin.database import Database
from riverrun_admin.door import Door
from riverrun_admin.enqueue_stream import MOST_STREAMS
from riverrun_admin.events import Events
from riverrun_admin.histories import Histories
from riverrun_admin.known_tokens import KnownTokens
from riverrun_admin.overview import Overview
from riverrun_admin.recent import Recent
from riverrun_admin.services import Services, mask_of
from riverrun_admin.tallies import Tallies
from riverrun_admin.tls import Tls

log = logging.getLogger("riverrun_admin")

DRAIN_SECONDS = 10.0
BACKLOG = 1_024
CRASH = 1
RESTART = "restart the daemon: a reload cannot move the address"


async def main(context: RoleContext) -> None:
    """Serve until the process shall leave.

    Raises:
        ConfigError: Other machines could reach the address, and no token is configured.
        SchemaError: The tables in the database are not those of this release.
    """
    database = Database(context.settings)
    overview, known = Overview(database), KnownTokens(database)
    parts = Services(
        context=context,
        database=database,
        door=Door(context.settings, known),
        known_tokens=known,
        mask=mask_of(context.settings.admin),
        overview=overview,
        events=Events(database, overview, lambda: parts.mask),
        recent=Recent(),
        histories=Histories(database),
        tls=Tls(context.settings.admin),
        bulk=BulkWorker(database),
        schema_checked=asyncio.Event(),
        streams=asyncio.Semaphore(MOST_STREAMS),
        tallies=Tallies(database),
    )
    runner = web.AppRunner(
        build(parts), access_log=None, shutdown_timeout=DRAIN_SECONDS, keepalive_timeout=IDLE_SECONDS
    )
    context.pipe.on(Control, lambda _: parts.changed())
    await database.open()
    try:
        server = await _listen(runner, context.settings.admin, parts)
        try:
            context.ready()
            await _until_drained(parts)
        finally:
            server.close()
    finally:
        await _leave(runner, context)
        await parts.tallies.write(everything=True)
        await database.close()


async def _listen(runner: web.AppRunner, admin: AdminSettings, parts: Services) -> asyncio.Server:
    await runner.setup()
    assert runner.server is not None  # noqa: S101 - tells the type checker what a setup makes
    try:
        server = await asyncio.get_running_loop().create_server(
            Entrance(runner.server), admin.host, admin.port, ssl=parts.tls.context, backlog=BACKLOG
        )
    except OSError as error:
        log.error("admin_not_listening", extra={"host": admin.host, "port": admin.port, **_cannot_listen(error)})
        raise SystemExit(CRASH) from error
    host, port = server.sockets[0].getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    log.info("admin_listening", extra={"url": f"{parts.tls.scheme}://{name}:{port}/admin/queue/dashboard"})
    if parts.door.is_open:
        log.info("admin_without_tokens", extra={"meaning": "everybody who has an account on this machine may do all"})
    return server


def _cannot_listen(error: OSError) -> dict[str, str]:
    """Return why the address cannot be listened on, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return {
            "meaning": "another process uses the port (9999 is also the default of xxl-job's executor)",
            "do": "stop that process, or choose another port with admin.port or RIVERRUN_ADMIN__PORT",
        }
    return {"meaning": error.strerror or str(error), "do": "correct admin.host and admin.port"}


async def _until_drained(parts: Services) -> None:
    """Return when the process shall leave; raise what makes it useless to go on."""
    tasks = {
        asyncio.create_task(parts.context.draining.wait(), name="draining"),
        asyncio.create_task(_check_schema(parts), name="schema check"),
        asyncio.create_task(_reload(parts), name="reload"),
        asyncio.create_task(parts.events.run(), name="events"),
        asyncio.create_task(parts.bulk.run(), name="bulk operations"),
        asyncio.create_task(parts.tallies.run(), name="tallies"),
    }
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end(tasks)


async def _check_schema(parts: Services) -> None:
    """Look at the tables as soon as the database answers; then never again."""
    backoff = ReconnectWait(timedelta(seconds=0.5), timedelta(seconds=5))
    while not parts.schema_checked.is_set():
        try:
            async with parts.database.connection() as conn:
                await check(conn, parts.database.schema)
            parts.schema_checked.set()
        except DatabaseUnavailable as error:
            seconds = backoff.next()
            log.warning("database_not_reached", extra={"error": str(error), "retry_in": seconds})
            await asyncio.sleep(seconds)
    await parts.context.draining.wait()


async def _reload(parts: Services) -> None:
    """Take over new tokens and names when the configuration is read again; an address needs a restart."""
    context = parts.context
    while True:
        await context.reload.wait()
        context.reload.clear()
        before = context.settings.admin
        if not context.reread():
            continue
        try:
            parts.door = Door(context.settings, parts.known_tokens)
            parts.mask = mask_of(context.settings.admin)
            parts.tls.reload(context.settings.admin)
        except ConfigError as error:
            for problem in error.problems:
                log.error("configuration_refused", extra={"problem": problem})
        if (before.host, before.port) != (context.settings.admin.host, context.settings.admin.port):
            log.warning("admin_address_not_changed", extra={"still": f"{before.host}:{before.port}", "do": RESTART})


async def _leave(runner: web.AppRunner, context: RoleContext) -> None:
    """Let requests end, unless the process shall hurry."""
    await unless(context.hurrying, runner.cleanup())


if __name__ == "__main__":
    raise SystemExit(run_role("admin", main))
