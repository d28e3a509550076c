"""Sends notices beside the leader's work, so that a slow receiver delays nothing; each is tried three times."""

from __future__ import annotations

import asyncio
import json
import logging
import smtplib
import ssl
from urllib.parse import unquote, urlsplit

import aiohttp

from riverrun.settings.notifications import ChannelSettings
from riverrun.tasks import end
from riverrun_scheduler.notice import Notice, mail, message

log = logging.getLogger(__name__)

SECONDS = 10.0
TRIES = 3
PAUSE_SECONDS = 2.0
MOST_WAITING = 200
LARGEST_ANSWER = 4096


class NotTaken(Exception):
    """A receiver did not take a notice."""


class Postman:
    """Has one task that sends what it was handed, in order."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[tuple[Notice, str, ChannelSettings]] = asyncio.Queue(MOST_WAITING)
        self._task: asyncio.Task[None] | None = None

    def hand(self, notice: Notice, name: str, channel: ChannelSettings) -> None:
        """Send ``notice`` over the channel called ``name``, soon; when very many wait, not at all."""
        try:
            self._waiting.put_nowait((notice, name, channel))
        except asyncio.QueueFull:
            log.warning("notice_dropped", extra={"rule": notice.rule, "channel": name, "subject": notice.subject})
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send_all(), name="notices")

    async def close(self) -> None:
        """Stop sending; what still waits is not sent."""
        if self._task is not None:
            await end([self._task])

    async def _send_all(self) -> None:
        while not self._waiting.empty():
            await self._send(*self._waiting.get_nowait())

    async def _send(self, notice: Notice, name: str, channel: ChannelSettings) -> None:
        fields = {"rule": notice.rule, "channel": name, "subject": notice.subject}
        for attempt in range(1, TRIES + 1):
            try:
                async with asyncio.timeout(SECONDS):
                    await deliver(notice, channel)
            except (NotTaken, TimeoutError, OSError, aiohttp.ClientError, smtplib.SMTPException) as error:
                # The text of an error of the client holds the address, and that can hold a key.
                reason = str(error) if isinstance(error, NotTaken) else type(error).__name__
                log.warning("notice_not_sent", extra={**fields, "error": reason, "tried": attempt})
                await asyncio.sleep(PAUSE_SECONDS * attempt)
            else:
                log.info("notice_sent", extra=fields)
                return


async def deliver(notice: Notice, channel: ChannelSettings) -> None:
    """Send one notice once.

    Raises:
        NotTaken: The receiver was reached and refused it.
        OSError, aiohttp.ClientError, smtplib.SMTPException: It was not reached.
    """
    if channel.type == "email":
        await asyncio.to_thread(_mail, notice, channel)
        return
    sent = message(notice, channel)
    limit = aiohttp.ClientTimeout(total=SECONDS)
    async with (
        aiohttp.ClientSession(timeout=limit) as session,
        session.post(sent.url, data=sent.body, headers=sent.headers, allow_redirects=False) as response,
    ):
        answer = await response.content.read(LARGEST_ANSWER)
        if response.status >= 300:
            raise NotTaken(f"HTTP {response.status}")
        if channel.type != "webhook":
            _check(answer)


def _check(answer: bytes) -> None:
    """Look into an answer: these services say 200 and put the refusal into the body."""
    try:
        said = json.loads(answer)
    except ValueError as error:
        raise NotTaken("the answer is not JSON") from error
    code = said.get("errcode", said.get("code", 0)) if isinstance(said, dict) else None
    if code != 0:
        raise NotTaken(f"refused with code {code}")


def _mail(notice: Notice, channel: ChannelSettings) -> None:
    place = urlsplit(channel.url.get_secret_value())
    trusting = ssl.create_default_context()
    host, port = place.hostname or "localhost", place.port
    if place.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port or 465, timeout=SECONDS, context=trusting)
    else:
        server = smtplib.SMTP(host, port or 25, timeout=SECONDS)
    with server:
        if place.scheme == "smtp":
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=trusting)
        if place.username:
            server.login(unquote(place.username), unquote(place.password or ""))
        server.send_message(mail(notice, channel))
