"""Schemas, keys, lists and times against a real Go client; most tests are named after a scenario of River's."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun import AsyncClient, JobState, Unique
from riverrun.cron_grammar import parse_expression
from riverrun.database import migrate
from riverrun.database.schema_check import check
from riverrun.errors import InvalidInput
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.queries import value
from support.river_peer import PeerRefusedError, RiverPeer, needs_peer, river_peer
from support.schema_dump import dump_schema

pytestmark = needs_peer

Connection = AsyncConnection[TupleRow]

RIVERS_STEPS = ([1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7, 8])
"""What Go's migrator runs in an empty database, before release 0.48 and since."""


def parts_of(dsn: str) -> list[str]:
    """Return what a schema consists of, whatever the order of columns, the text of functions and made-up names."""
    text = re.sub(r"(?s)\$\$.*?\$\$", "", dump_schema(dsn))
    # A table that River has renamed once left its names behind; its char_length goes by two names.
    text = re.sub(r"CONSTRAINT \w+_not_null1? NOT NULL", "NOT NULL", text.replace("_pkey1", "_pkey"))
    return sorted(line.strip().rstrip(",") for line in text.replace("char_length(", "length(").splitlines())


async def mask_table(conn: Connection) -> Any:
    """Return which states each mask of one state contains, as the function of the schema says."""
    return await value(
        conn,
        "SELECT array_agg(river_job_state_in_bitmask((1 << bit)::bit(8), state) ORDER BY bit, state)"
        " FROM generate_series(0, 7) AS bit, unnest(enum_range(NULL::river_job_state)) AS state",
    )


async def completed(client: AsyncClient, job_id: int) -> bool:
    return (await client.get(job_id)).state == JobState.COMPLETED


async def test_candidate_migrator_reference_runtime(peer: RiverPeer) -> None:
    assert (await peer.ask("validate"))["ok"] is True
    assert await peer.ask("migrate") == []
    await peer.ask("start", queues={"go": 1}, poll_ms=100)
    assert (await peer.ask("insert", kind="peer_work", args={}, queue="go"))["job"]["state"] == "available"


async def test_the_tables_that_we_make_are_those_that_go_makes_and_go_takes_them_away(empty_database: str) -> None:
    nothing = dump_schema(empty_database)
    async with (
        await AsyncConnection.connect(empty_database, autocommit=True) as conn,
        river_peer(empty_database) as peer,
    ):
        await migrate.up(conn)
        await migrate.down(conn, to=0)
        ours = parts_of(empty_database), await mask_table(conn)

        await peer.ask("migrate", direction="down", version=-1)

        assert dump_schema(empty_database) == nothing
        assert await peer.ask("migrate") in RIVERS_STEPS
        assert (parts_of(empty_database), await mask_table(conn)) == ours


@pytest.mark.parametrize("schema", [None, "Mixed_Case"])
async def test_reference_migrator_candidate_runtime(empty_database: str, schema: str | None) -> None:
    async with await AsyncConnection.connect(empty_database, autocommit=True) as conn:
        if schema:
            await conn.execute(f'CREATE SCHEMA "{schema}"'.encode())
        async with river_peer(empty_database, schema) as peer:
            assert await peer.ask("migrate") in RIVERS_STEPS
            await migrate.up(conn, schema)
            await check(conn, schema)
            theirs = await peer.ask("insert", kind="noop", args={})
            async with (
                AsyncClient(empty_database, schema=schema) as client,
                running_executor(settings_for(empty_database, schema=schema)),
            ):
                await eventually(lambda: completed(client, theirs["job"]["id"]), within=10)
            await migrate.down(conn, schema, to=0)
            assert (await peer.ask("validate"))["ok"] is True


async def test_custom_schema_candidate_migrate_reference_work(empty_database: str) -> None:
    async with await AsyncConnection.connect(empty_database, autocommit=True) as conn:
        await migrate.up(conn, "Mixed_Case")
        await migrate.up(conn, "other")
    async with (
        river_peer(empty_database, "Mixed_Case") as peer,
        AsyncClient(empty_database, schema="Mixed_Case") as client,
    ):
        await peer.ask("start", queues={"go": 1}, poll_ms=60_000)
        assert (await peer.ask("validate"))["ok"] is True

        job = (await client.enqueue("peer_work", {}, queue="go")).job  # heard, not polled: the channel is the schema's

        await eventually(lambda: completed(client, job.id), within=10)


async def test_adopting_a_live_database_locks_nobody_out(empty_database: str) -> None:
    slowest = timedelta()
    async with (
        await AsyncConnection.connect(empty_database, autocommit=True) as conn,
        river_peer(empty_database) as peer,
        river_peer(empty_database) as producer,
    ):
        await peer.ask("migrate")
        await peer.ask("start", queues={"go": 50}, poll_ms=100)
        await producer.ask("insert_many", jobs=[{"kind": "peer_work", "queue": "go"}] * 5_000, fast=True)
        migrating = asyncio.create_task(migrate.up(conn), name="adopting")
        produced = 0
        while not migrating.done() or produced < 20:
            began = datetime.now(UTC)
            await producer.ask("insert", kind="peer_work", args={}, queue="go")
            slowest = max(slowest, datetime.now(UTC) - began)
            produced += 1
        await migrating
        await check(conn)
        await migrate.down(conn, to=0)
        done = f"SELECT count(*) = {5_000 + produced} FROM river_job WHERE state = 'completed'"
        await eventually(lambda: value(conn, done), within=40, every=0.2)

    assert slowest < timedelta(seconds=2)


TEXTS = ["", "a", "<b>&", "\u2028x\u2029", "\t\n\b\f\r\x01\x1f", 'q"\\/', "ä😀é", "0"]
FLOATS = [0.0, -0.5, 1e-7, 1.5e-9, 1e20, 1e21, 1.7976931348623157e308, 5e-324, 0.1, 123456.789]
NAMES = ["z", "a", "m_1", "B", "10", "2", "ä", "x-y"]


def text_of(rng: random.Random) -> str:
    return "".join(rng.choice(TEXTS) for _ in range(rng.randrange(4)))


def value_of(rng: random.Random, depth: int) -> Any:
    """Return any JSON value whose numbers Go keeps."""
    makers: list[Callable[[], Any]] = [
        lambda: rng.choice([None, True, False]),
        lambda: rng.randrange(-(2**53), 2**53),
        lambda: rng.choice(FLOATS),
        lambda: rng.uniform(-1, 1) * 10.0 ** rng.randrange(-25, 25),
        lambda: text_of(rng),
        lambda: [value_of(rng, depth - 1) for _ in range(rng.randrange(4))],
        lambda: {text_of(rng): value_of(rng, depth - 1) for _ in range(rng.randrange(4))},
    ]
    return rng.choice(makers if depth else makers[:5])()


def documents(seed: int, count: int) -> list[dict[str, Any]]:
    """Return objects of which no two are equal: Go's client refuses a batch with two equal keys."""
    rng = random.Random(seed)
    several = [{rng.choice(NAMES): value_of(rng, 3) for _ in range(rng.randrange(6))} for _ in range(count)]
    return list({json.dumps(each, sort_keys=True): each for each in several}.values())


async def test_unique_hash_of_any_arguments(client: AsyncClient, peer: RiverPeer, conn: Connection) -> None:
    several = documents(seed=20260102, count=400)
    jobs = [{"kind": "peer_any", "args": args, "unique": {"by_args": True}} for args in several]

    theirs = await peer.ask("insert_many", jobs=jobs)

    await conn.execute("TRUNCATE river_job")
    # Go's maps are written with their keys in order, at every depth.
    ours = await client.enqueue_many(
        [
            {"kind": "peer_any", "args": json.dumps(args, sort_keys=True), "unique": Unique(by_args=True)}
            for args in several
        ]
    )
    differing = [
        args
        for args, mine, his in zip(several, ours, theirs, strict=True)
        if (mine.job.unique_key or b"").hex() != his["job"]["unique_key"]
    ]
    assert differing == []


async def test_period_is_that_of_a_client_in_the_same_zone(client: AsyncClient, peer: RiverPeer) -> None:
    # Releases of Go before 0.48 count from the time of the insert, so only jobs that are due at once can agree.
    for seconds in (60 * 60 * 24, 60 * 60 * 24 * 7, 60 * 60 * 24 * 365):
        theirs = await peer.ask("insert", kind="same", args={}, unique={"by_period_ms": seconds * 1_000})
        ours = await client.enqueue("same", {}, unique=Unique(by_period=timedelta(seconds=seconds)))
        assert ours.job.id == theirs["job"]["id"]
        await client.delete(ours.job.id)


async def test_differential_job_list_filters_and_cursors(client: AsyncClient, peer: RiverPeer) -> None:
    for n in range(30):
        await client.enqueue(
            f"kind{n % 3}",
            {},
            queue=f"queue{n % 2}",
            priority=1 + n % 4,
            tags=["all", f"tag{n % 5}", f"mod{n % 2}"],
            metadata={"half": n // 15, "n": n},
            pending=n % 7 == 0,
        )
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({}, {}),
        ({"ids": [3, 9, 99]}, {"id": [3, 9, 99]}),
        ({"kinds": ["kind0", "kind2"]}, {"kind": ["kind0", "kind2"]}),
        ({"list_queues": ["queue1"]}, {"queue": "queue1"}),
        ({"priorities": [1, 4]}, {"priority": [1, 4]}),
        ({"states": ["pending"]}, {"state": "pending"}),
        ({"tags_any": ["tag1", "tag2"]}, {"tag": ["tag1", "tag2"]}),
        ({"tags_all": ["tag1", "mod0"]}, {"tags_all": ["tag1", "mod0"]}),
        ({"metadata_has": '{"half": 1}', "kinds": ["kind1"]}, {"metadata": {"half": 1}, "kind": "kind1"}),
    ]
    for asked, filters in cases:
        for ascending in (True, False):
            theirs = await peer.ask("list", ascending=ascending, first=100, **asked)
            ours = (await client.list(order="oldest" if ascending else "newest", limit=100, **filters)).jobs
            assert [job.id for job in ours] == [job["id"] for job in theirs], asked


EXPRESSIONS = [
    "* * * * *", "*/15 9-17 * * mon-fri", "0 0 1 jan,JUL *", "0 0 29 2 *", "0 12 1,15 * 5", "0 12 ? * 5",
    "0 12 */2 * 5", "0 12 */1 * 5", "5/15 * * * *", "0-10/5 * * * *", "59 23 31 12 *", "@hourly", "@daily", "@weekly",
    "@monthly", "@yearly", "CRON_TZ=Asia/Kolkata 30 0 * * *", "TZ=Europe/Berlin 30 2 * 3,10 *", "0 0 * * 7", "@reboot",
    "60 * * * *", "1/2/3 * * * *", "*/0 * * * *", "0 9 * * funday", "* * * * * *", "", "@every", "@every 5x",
    "5-1 * * * *",
]  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS)
async def test_cron_schedule_goldens(peer: RiverPeer, expression: str) -> None:
    start = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    try:
        theirs = await peer.ask("cron_next", expression=expression, count=20, **{"from": start.isoformat()})
    except PeerRefusedError:
        with pytest.raises(InvalidInput):
            parse_expression(expression, "cron")
        return
    parsed, ours = parse_expression(expression, "cron"), [start]
    while len(ours) <= len(theirs):
        ours.append(parsed.next_after(ours[-1]))
    assert ours[1:] == [datetime.fromisoformat(tick) for tick in theirs]
