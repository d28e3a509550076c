"""``queuectl top``: the overview in a terminal, and as text where there is none."""

from __future__ import annotations

from support.queries import Table
from support.queuectl import Queuectl


def test_the_overview_is_written_once_without_a_terminal(queuectl: Queuectl, table: Table) -> None:
    queuectl("job", "enqueue", "email", "-q", "mail")
    error = '{"at": "2026-01-01T00:00:00Z", "attempt": 1, "error": "no pixels in 17"}'
    table.execute(
        "INSERT INTO river_job (kind, args, max_attempts, state, finalized_at, errors)"
        " VALUES ('image', '{}', 1, 'discarded', now(), ARRAY[%s::jsonb])",
        (error,),
    )

    shown = queuectl("top").stdout

    assert "mail no executor" in shown
    assert "no pixels in #" in shown
    assert "leader nobody" in shown


def test_keys_change_the_tab_and_leave(queuectl: Queuectl) -> None:
    code, shown = queuectl.on_terminal("top", "--every", "0.2", typed="4pq")

    assert (code, "heartbeat" in shown) == (0, True)


def test_the_screen_is_in_the_language_that_is_asked_for(queuectl: Queuectl) -> None:
    queuectl("job", "enqueue", "email", "-q", "mail")

    shown = queuectl("--lang", "zh", "top").stdout

    assert "mail 无执行器" in shown
    assert "主节点 无" in shown
    assert "queues" not in shown
