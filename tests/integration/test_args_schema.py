"""What the arguments of a kind look like is known from the handlers that take them, and from nobody else's."""

from __future__ import annotations

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database.statements import Statements
from riverrun.registration import registration
from riverrun.store import registry

ONE, OTHER = '{"type": "object", "properties": {"a": {}}}', '{"type": "object", "properties": {"b": {}}}'


async def test_a_new_release_of_a_local_handler_says_anew_what_it_takes(conn: AsyncConnection[TupleRow]) -> None:
    run = Statements().run

    new = await run(conn, registry.announce({"typed": ONE, "plain": None}))
    first = await run(conn, registry.handler("typed"))
    again = await run(conn, registry.announce({"typed": ONE, "plain": None}))
    same = await run(conn, registry.handler("typed"))
    await run(conn, registry.announce({"typed": OTHER, "plain": None}))
    changed = await run(conn, registry.handler("typed"))
    await run(conn, registry.announce({"typed": None}))
    silent = await run(conn, registry.handler("typed"))

    assert (new, again) == ({"typed", "plain"}, set())
    assert first.registration.args_schema == {"type": "object", "properties": {"a": {}}}
    assert same.revision == first.revision, "executors that start anew change nothing"
    assert changed.registration.args_schema == {"type": "object", "properties": {"b": {}}}
    assert silent == changed
    assert (await run(conn, registry.handler("plain"))).registration.args_schema is None


async def test_what_a_service_takes_is_not_said_by_a_function_of_the_same_kind(conn: AsyncConnection[TupleRow]) -> None:
    run = Statements().run
    service = registration("typed", "Typed", "http", endpoint_url="http://localhost/", args_schema={"title": "mine"})
    await run(conn, registry.register(service))

    await run(conn, registry.announce({"typed": ONE}))

    assert (await run(conn, registry.handler("typed"))).registration == service
