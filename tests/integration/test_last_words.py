"""An executor that stops while its database is away leaves like any other: nothing it had to say is worth a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from riverrun_executor.control import Control
from support.contexts import settings_for
from support.executors import running_executor
from support.proxy import Proxy


@pytest.mark.parametrize("fail", [Proxy.refuse, Proxy.black_hole], ids=["refuses", "is silent"])
async def test_an_executor_stops_in_time_while_its_database_is_away(
    database: str, fail: Callable[[Proxy], None], caplog: pytest.LogCaptureFixture
) -> None:
    with Proxy(database) as proxy:
        async with running_executor(settings_for(proxy.dsn)) as running:
            fail(proxy)

            async with asyncio.timeout(15):
                await running.drain()

    assert "last_words_lost" in [record.message for record in caplog.records]


async def test_a_database_that_falls_silent_while_an_executor_says_its_last_words_is_not_waited_for(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("riverrun_executor.control.LAST_SECONDS", 0.5)
    with Proxy(database) as proxy:
        async with running_executor(settings_for(proxy.dsn)) as running:
            monkeypatch.setattr(Control, "_report", lambda *_: _fall_silent(proxy))

            async with asyncio.timeout(10):
                await running.drain()


async def _fall_silent(proxy: Proxy) -> None:
    proxy.black_hole()
