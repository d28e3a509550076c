"""Bytes that every client of River must write alike; each test is named after a scenario of River's suite."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun import AsyncClient, InvalidInput, Unique
from riverrun.cron_grammar import parse_expression
from riverrun.job import AttemptError
from support.jobs import job

Connection = AsyncConnection[TupleRow]

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=UTC)
DUE = datetime(2026, 1, 2, 5, 21, 5, 678_900, tzinfo=UTC)

# What River publishes as the keys of these jobs, by the text that is hashed.
UNIQUE_HASHES = {
    "all args, none": (
        {"kind": "conformance_all_args", "args": "{}", "unique": Unique(by_args=True)},
        "fe05a58ddb79a8d4544da962582d9a290d59788c920afd3597da3a62e3c1b0ac",
    ),
    "nested order is kept": (
        {"kind": "conformance_all_args", "args": '{"nested": {"z": 1, "a": 2}}', "unique": Unique(by_args=True)},
        "46ff499cb031d0458bb00ef87e7b83321eefb6e7534497c279c4ae0f474cdde0",
    ),
    "all selected are missing": (
        {"kind": "conformance_selected_args", "args": "{}", "unique": Unique(by_args=["account.id", "label"])},
        "23aa86692d9807ab10e433e378f1c0804573f5e345818461b919322dd381b4c3",
    ),
    "selected null": (
        {"kind": "conformance_selected_args", "args": '{"label": null}', "unique": Unique(by_args=["label"])},
        "d137d7c4f1e3f8369037b1890357655b4fa1978a329bcf51435f9f0b54abcab7",
    ),
    "period of the scheduled time": (
        {
            "kind": "conformance_simple",
            "args": "{}",
            "unique": Unique(by_period=timedelta(hours=1)),
            "scheduled_at": DUE,
        },
        "b7f3c49952996b760b8b3ff6cf48f426e03a6ef0f004fb6faa51725365cf309a",
    ),
    "queue without kind": (
        {
            "kind": "conformance_simple",
            "args": "{}",
            "queue": "priority_emails",
            "unique": Unique(by_queue=True, exclude_kind=True),
        },
        "d20ce47da8e8015e68b020bbca2b17494139519ae05f8985e5992db4d8dd8a09",
    ),
    "everything": (
        {
            "kind": "conformance_simple",
            "args": '{"id": 42}',
            "queue": "priority_emails",
            "scheduled_at": DUE,
            "unique": Unique(by_args=True, by_period=timedelta(minutes=1), by_queue=True),
        },
        "6f20262e7b1fa9beaf98255f23030800376636484a98b20c2c04a303bab5a8d5",
    ),
}


@pytest.mark.parametrize("case", UNIQUE_HASHES)
async def test_unique_hash_goldens(client: AsyncClient, conn: Connection, case: str) -> None:
    spec, expected = UNIQUE_HASHES[case]

    (result,) = await client.enqueue_many([spec])  # type: ignore[list-item]  # a case is what a producer writes

    assert (await job(conn, result.job.id))["unique_key"].hex() == expected


STATES = ("scheduled", "running", "retryable", "pending", "discarded", "completed", "cancelled", "available")


@pytest.mark.parametrize(
    ("by_state", "mask"),
    [
        (None, "11110101"),
        (("available", "pending", "running", "scheduled"), "11010001"),
        (("available", "completed", "pending", "running", "scheduled"), "11010101"),
        (STATES, "11111111"),
    ],
)
async def test_unique_column_bytes(
    client: AsyncClient, conn: Connection, by_state: tuple[str, ...] | None, mask: str
) -> None:
    unique = await client.enqueue("same", {}, unique=Unique(by_args=True, by_state=by_state))
    plain = await client.enqueue("same", {})

    assert (await job(conn, unique.job.id))["unique_states"] == mask
    row = await job(conn, plain.job.id)
    assert (row["unique_key"], row["unique_states"]) == (None, None)


def test_protocol_values_attempt_error() -> None:
    error = AttemptError(at=NOW, attempt=3, error='worker failed: escaped "detail"', trace="frame one\nframe two")

    assert error.to_json() == (
        '{"at":"2026-01-02T03:04:05.6789Z","attempt":3,"error":"worker failed: escaped \\"detail\\"",'
        '"trace":"frame one\\nframe two"}'
    )
    assert AttemptError.from_json(error.to_json()) == error


def ticks(expression: str, *, after: datetime = NOW, count: int = 3, zone: str = "UTC") -> list[str]:
    parsed, found = parse_expression(expression, "cron", zone=zone), []
    for _ in range(count):
        after = parsed.next_after(after)
        found.append(after.strftime("%Y-%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("* * * * *", ["2026-01-02 03:05", "2026-01-02 03:06", "2026-01-02 03:07"]),
        ("0 9 * * 1", ["2026-01-05 09:00", "2026-01-12 09:00", "2026-01-19 09:00"]),
        ("0 0 * * SUN", ["2026-01-04 00:00", "2026-01-11 00:00", "2026-01-18 00:00"]),
        ("*/15 9-17 * * mon-fri", ["2026-01-02 09:00", "2026-01-02 09:15", "2026-01-02 09:30"]),
        ("0 0 1 jan,JUL *", ["2026-07-01 00:00", "2027-01-01 00:00", "2027-07-01 00:00"]),
        ("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00", "2036-02-29 00:00"]),
        ("0 12 1,15 * 5", ["2026-01-02 12:00", "2026-01-09 12:00", "2026-01-15 12:00"]),
        ("0 12 ? * 5", ["2026-01-02 12:00", "2026-01-09 12:00", "2026-01-16 12:00"]),
        ("0 12 */2 * 5", ["2026-01-02 12:00", "2026-01-03 12:00", "2026-01-05 12:00"]),
        ("0 12 */1 * 5", ["2026-01-02 12:00", "2026-01-09 12:00", "2026-01-16 12:00"]),
        ("5/15 * * * *", ["2026-01-02 03:05", "2026-01-02 03:20", "2026-01-02 03:35"]),
        ("0-10/5 * * * *", ["2026-01-02 03:05", "2026-01-02 03:10", "2026-01-02 04:00"]),
        ("@weekly", ["2026-01-04 00:00", "2026-01-11 00:00", "2026-01-18 00:00"]),
        ("@annually", ["2027-01-01 00:00", "2028-01-01 00:00", "2029-01-01 00:00"]),
        ("CRON_TZ=UTC 0 9 * * *", ["2026-01-02 09:00", "2026-01-03 09:00", "2026-01-04 09:00"]),
        ("TZ=Asia/Kolkata 30 0 * * *", ["2026-01-02 19:00", "2026-01-03 19:00", "2026-01-04 19:00"]),
        ("  0   9 * *   1 ", ["2026-01-05 09:00", "2026-01-12 09:00", "2026-01-19 09:00"]),
    ],
)
def test_cron_schedule_goldens(expression: str, expected: list[str]) -> None:
    assert ticks(expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "* * * * * *",
        "0 9 * * 7",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 0 *",
        "* * * 13 *",
        "-1 * * * *",
        "5-1 * * * *",
        "1-2-3 * * * *",
        "1/2/3 * * * *",
        "*/0 * * * *",
        "*/x * * * *",
        "0 9 * * funday",
        "@every",
        "@every 5x",
        "@reboot",
        "CRON_TZ=Nowhere/Invalid 0 9 * * *",
    ],
)
def test_cron_expressions_that_river_refuses_are_refused(expression: str) -> None:
    with pytest.raises(InvalidInput, match="cron"):
        parse_expression(expression, "cron")


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [("@every 1h30m", 5400), ("@every 1.5h", 5400), ("@every 90s", 90), ("@every 1500ms", 1), ("@every 500ms", 1)],
)
def test_cron_intervals_are_whole_seconds_and_at_least_one(expression: str, seconds: int) -> None:
    parsed = parse_expression(expression, "cron")

    first = parsed.next_after(NOW)
    assert timedelta(0) < first - NOW <= timedelta(seconds=seconds)
    assert parsed.next_after(first) - first == timedelta(seconds=seconds)
