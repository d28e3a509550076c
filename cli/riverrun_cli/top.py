"""``queuectl top``: the overview in a terminal, drawn anew every second; works with the database alone."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from riverrun_cli.database import Access, with_database

if TYPE_CHECKING:
    from riverrun import Client

TABS = ("queues", "kinds", "errors", "servers")
WIDTH = 160
"""Of a line where no terminal says how wide it is."""
ROWS_ONCE = 20
"""Of each tab where they are written one after the other."""


class View:
    """What is shown: which tab, from which row on, whether the figures stand still, and whether to leave."""

    def __init__(self, *, hears_keys: bool = False) -> None:
        self.hears_keys = hears_keys
        self.tab = 0
        self.first = 0
        self.held = False
        self.left = False

    def press(self, key: str) -> None:
        """Act on a key."""
        match key:
            case "q" | "\x1b" | "\x03":
                self.left = True
            case "l" | "\x1b[C" | "\t":
                self.tab, self.first = (self.tab + 1) % len(TABS), 0
            case "h" | "\x1b[D":
                self.tab, self.first = (self.tab - 1) % len(TABS), 0
            case "j" | "\x1b[B":
                self.first += 1
            case "k" | "\x1b[A":
                self.first = max(0, self.first - 1)
            case "p":
                self.held = not self.held
            case "1" | "2" | "3" | "4":
                self.tab, self.first = int(key) - 1, 0
            case _:
                pass


@click.command
@click.option("--every", type=click.FloatRange(0.2), default=1.0, show_default=True, help="Seconds between two looks.")
@click.option("--once", is_flag=True, help="Show the present state once, without a terminal's keys, and leave.")
@with_database
def top(access: Access, /, *, every: float, once: bool) -> None:
    """Watch queues, kinds, errors and hosts. Keys: ←→ or 1–4 tabs, j k rows, p hold, q quit."""
    from rich.live import Live  # noqa: PLC0415 - the help does not wait for it

    from riverrun_cli.top_screen import look, screen  # noqa: PLC0415

    view = View(hears_keys=True)
    with access.client() as client:
        if once or not (sys.stdin.isatty() and sys.stdout.isatty()):
            _print_once(client)
            return
        seen, due = look(client), time.monotonic() + every
        with _keys() as keys, Live(screen=True, auto_refresh=False) as live:
            live.update(screen(seen, view, *live.console.size), refresh=True)
            while not view.left:
                for key in keys(max(0.0, due - time.monotonic())):
                    view.press(key)
                if time.monotonic() >= due:
                    seen, due = seen if view.held else look(client), time.monotonic() + every
                live.update(screen(seen, view, *live.console.size), refresh=True)


def _print_once(client: Client) -> None:
    """Write every tab after the other."""
    from rich.console import Console  # noqa: PLC0415

    from riverrun_cli.top_screen import HEAD, look, screen  # noqa: PLC0415

    view, seen = View(), look(client)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    for view.tab in range(len(TABS)):
        console.print(screen(seen, view, console.width, HEAD + ROWS_ONCE))


class Keys:
    """Reads single keys, arrows included, from a terminal."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal

    def __call__(self, seconds: float) -> Iterator[str]:
        """Yield the keys that were pressed within ``seconds``; at the first one the wait is over."""
        if not select.select([self._terminal], [], [], seconds)[0]:
            return
        typed = os.read(self._terminal, 64).decode(errors="ignore")
        while typed:
            size = 3 if typed.startswith("\x1b[") else 1
            yield typed[:size]
            typed = typed[size:]


@contextmanager
def _keys() -> Iterator[Keys]:
    """Give a function that waits for keys, up to a number of seconds; the terminal is as before afterwards."""
    import termios  # noqa: PLC0415 - not on every system
    import tty  # noqa: PLC0415

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal, termios.TCSANOW)  # what was typed before is not thrown away
    try:
        yield Keys(terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
