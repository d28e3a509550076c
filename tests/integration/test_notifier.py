"""People are told what the fleet cannot mend by itself: once, over every kind of channel, by whoever leads."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.settings.notifications import ChannelSettings, NotificationSettings
from riverrun_scheduler import postman
from riverrun_scheduler.notice import Notice, message
from riverrun_scheduler.notifier import Notifier
from support.contexts import settings_for
from support.eventually import eventually
from support.jobs import ago, insert
from support.receivers import HttpReceiver, http_receiver, smtp_receiver
from support.schedulers import term_of

Connection = AsyncConnection[TupleRow]
MOMENT = datetime(2030, 1, 1, tzinfo=UTC)
EMAIL, REPORT = "queue:default kind:email", "queue:default kind:report"
NOTICE = Notice("failures", "discarded", "queue:mail kind:email", "3 jobs failed", "host-1", MOMENT)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postman, "PAUSE_SECONDS", 0.01)


@pytest.fixture
async def receiver() -> AsyncIterator[HttpReceiver]:
    async with http_receiver() as server:
        yield server


@asynccontextmanager
async def notifying(database: str, url: str, **rule: Any) -> AsyncIterator[Notifier]:
    """Give a notifier with one rule that tells a webhook."""
    channels = {"hook": {"type": "webhook", "url": url}}
    section = NotificationSettings.model_validate(
        {"channels": channels, "rules": {"rule": {"channels": ["hook"], **rule}}}
    )
    settings = settings_for(database).model_copy(update={"notifications": section})
    async with term_of(settings) as term:
        notifier = Notifier(term)
        try:
            await notifier.step(await term.pulse())
            yield notifier
        finally:
            await notifier.close()


async def told(receiver: HttpReceiver, messages: int = 1) -> list[dict[str, Any]]:
    await eventually(lambda: len(receiver.received) >= messages, within=10.0)
    return [json.loads(body) for _, body in receiver.received]


async def subjects(receiver: HttpReceiver, messages: int) -> list[str]:
    """Return what was told of, in order: a subject is told after those before it in the alphabet, so it ends a wait."""
    return [message["subject"] for message in await told(receiver, messages)]


async def discard(conn: Connection, **columns: Any) -> None:
    error = '{"error": "boom <b>", "attempt": 1, "at": "2030-01-01T00:00:00Z", "trace": ""}'
    job_id = await insert(conn, state="discarded", finalized_at=ago("1 minute"), max_attempts=25, **columns)
    await conn.execute("UPDATE river_job SET errors = ARRAY[%s::jsonb] WHERE id = %s", (error, job_id))


async def test_discarded_jobs_are_told_by_queue_and_kind(
    conn: Connection, database: str, receiver: HttpReceiver
) -> None:
    await discard(conn, queue="mail")
    await discard(conn, queue="mail")
    await discard(conn, queue="other", kind="report")

    async with notifying(database, receiver.url, event="discarded", only=["mail"]):
        (message,) = await told(receiver)

    assert (message["event"], message["subject"]) == ("discarded", "queue:mail kind:email")
    assert message["message"].startswith("2 jobs of kind email in the queue mail were discarded")


async def test_fewer_than_the_least_are_not_told(conn: Connection, database: str, receiver: HttpReceiver) -> None:
    await discard(conn)
    for _ in range(2):
        await discard(conn, kind="report")

    async with notifying(database, receiver.url, event="discarded", least=2):
        told_of = await subjects(receiver, 1)

    assert told_of == [REPORT]


async def test_the_next_leader_does_not_tell_again(conn: Connection, database: str, receiver: HttpReceiver) -> None:
    await discard(conn)

    async with notifying(database, receiver.url, event="discarded"):
        await told(receiver)
    await discard(conn, kind="report")
    async with notifying(database, receiver.url, event="discarded"):
        await told(receiver, 2)
    await conn.execute("UPDATE riverrun_notice SET sent_at = sent_at - interval '1 hour'")
    async with notifying(database, receiver.url, event="discarded"):
        told_of = await subjects(receiver, 4)

    assert told_of == [EMAIL, REPORT, EMAIL, REPORT]


async def test_a_queue_that_nobody_serves_is_told(conn: Connection, database: str, receiver: HttpReceiver) -> None:
    await insert(conn, queue="lonely", max_attempts=25, scheduled_at=ago("5 minutes"))

    async with notifying(database, receiver.url, event="unserved_queue"):
        (message,) = await told(receiver)

    assert message["subject"] == "queue:lonely"


async def test_a_late_schedule_is_told(conn: Connection, database: str, receiver: HttpReceiver) -> None:
    for name, tick in (("late", "1 hour"), ("punctual", "10 seconds")):
        await conn.execute(
            f"""INSERT INTO riverrun_schedule (name, kind, expression, queue, source, last_tick, updated_at)
            VALUES
                (%s, 'email', '@every 5m', 'default', 'api', now() - interval '{tick}', now() - interval '2 hours')""",
            (name,),
        )

    async with notifying(database, receiver.url, event="late_schedule"):
        (message,) = await told(receiver)

    assert message["subject"] == "schedule:late"


async def test_a_paused_handler_is_told(conn: Connection, database: str, receiver: HttpReceiver) -> None:
    await conn.execute(
        "INSERT INTO riverrun_handler (kind, handler_name, handler_type, paused_at)"
        " VALUES ('email', 'email', 'local', now())"
    )

    async with notifying(database, receiver.url, event="handler_paused"):
        (message,) = await told(receiver)

    assert message["subject"] == "handler:email"


async def test_a_receiver_that_refuses_is_tried_three_times(
    conn: Connection, database: str, receiver: HttpReceiver
) -> None:
    receiver.status = 503
    await discard(conn)
    await discard(conn, kind="report")

    async with notifying(database, receiver.url, event="discarded"):
        told_of = await subjects(receiver, 4)

    assert told_of[:4] == [EMAIL, EMAIL, EMAIL, REPORT]


CHANNELS = ["dingtalk", "wecom", "feishu", "webhook"]


@pytest.mark.parametrize("kind", CHANNELS)
async def test_each_service_is_spoken_to_in_its_own_form(receiver: HttpReceiver, kind: str) -> None:
    receiver.answer = {"errcode": 0} if kind != "feishu" else {"code": 0}
    channel = ChannelSettings.model_validate({"type": kind, "url": f"{receiver.url}/robot?key=x", "secret": "s3cret"})

    await postman.deliver(NOTICE, channel)

    ((request, body),) = receiver.received
    said = json.loads(body)
    match kind:
        case "dingtalk":
            stamp, sign = request.query["timestamp"], request.query["sign"]
            expected = hmac.new(b"s3cret", f"{stamp}\ns3cret".encode(), hashlib.sha256).digest()
            assert base64.b64decode(sign) == expected
            assert "3 jobs failed" in said["text"]["content"]
        case "wecom":
            assert said == {"msgtype": "text", "text": {"content": "[Riverrun host-1] 3 jobs failed"}}
        case "feishu":
            expected = hmac.new(f"{said['timestamp']}\ns3cret".encode(), b"", hashlib.sha256).digest()
            assert base64.b64decode(said["sign"]) == expected
            assert said["msg_type"] == "text"
        case _:
            signed = f"{request.headers['Riverrun-Timestamp']}.".encode() + body
            digest = hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
            assert request.headers["Riverrun-Signature"] == f"sha256={digest}"
            assert said["rule"] == "failures"


@pytest.mark.parametrize("kind", ["dingtalk", "wecom", "feishu"])
async def test_a_refusal_in_the_body_of_a_success_is_one(receiver: HttpReceiver, kind: str) -> None:
    receiver.answer = {"errcode": 310000} if kind != "feishu" else {"code": 19021}
    channel = ChannelSettings.model_validate({"type": kind, "url": receiver.url})

    with pytest.raises(postman.NotTaken):
        await postman.deliver(NOTICE, channel)


async def test_a_letter_is_sent(receiver: HttpReceiver) -> None:
    async with smtp_receiver() as server:
        channel = ChannelSettings.model_validate(
            {"type": "email", "url": f"smtp://127.0.0.1:{server.port}", "to": ["a@example.com", "b@example.com"]}
        )
        await postman.deliver(NOTICE, channel)

    (letter,) = server.letters
    assert "Subject: [Riverrun host-1] discarded" in letter
    assert "To: a@example.com, b@example.com" in letter
    assert "3 jobs failed" in letter


def test_an_address_that_can_hold_a_key_stands_in_no_log_and_no_error() -> None:
    channel = ChannelSettings.model_validate({"type": "wecom", "url": "https://example.com/send?key=s3cret"})

    assert "s3cret" not in repr(channel)
    assert message(NOTICE, channel).url.endswith("key=s3cret")


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ({"channels": {"a": {"type": "email", "url": "smtp://h", "to": []}}}, "at least one address"),
        ({"channels": {"a": {"type": "email", "url": "https://h", "to": ["a@b.c"]}}}, "smtp://"),
        ({"channels": {"a": {"type": "wecom", "url": "smtp://h"}}}, "https://"),
        ({"channels": {"a": {"type": "wecom", "url": "ftp://h"}}}, "an address that begins"),
        ({"rules": {"r": {"event": "discarded", "channels": ["nobody"]}}}, "notifications.channels"),
        ({"rules": {"r": {"event": "weather", "channels": ["a"]}}}, "discarded"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(section: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        NotificationSettings.model_validate(section)
