"""How functions become handlers, and what is said about modules that cannot be imported."""

from __future__ import annotations

import importlib
import math
import re
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from riverrun import handler, handlers
from riverrun.errors import ConfigError, InvalidInput
from riverrun.handlers import load_handlers
from riverrun.retry import RIVER_BACKOFF, FixedBackoff

Write = Callable[..., str]


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test begin with no handler registered, and put everything back behind it."""
    monkeypatch.setattr(handlers, "_registered", {})
    monkeypatch.setattr(sys, "path", sys.path.copy())


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Write a module that no other test has, and return its name."""
    known = set(sys.modules)

    def write_module(text: str, name: str = "written_handlers") -> str:
        (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        return name

    yield write_module
    for name in set(sys.modules) - known:
        del sys.modules[name]


def test_a_registered_function_stays_a_function() -> None:
    @handler("email", timeout=30, retry=FixedBackoff(timedelta(seconds=5)))
    def send() -> str:
        return "sent"

    registered = load_handlers([])["email"]

    assert send() == "sent"
    assert registered.function is send
    assert (registered.is_async, registered.timeout) == (False, timedelta(seconds=30))
    assert registered.backoff == FixedBackoff(timedelta(seconds=5))


def test_without_a_word_everything_is_as_configured() -> None:
    @handler("email")
    async def send() -> None: ...

    registered = load_handlers([])["email"]

    assert (registered.is_async, registered.timeout, registered.backoff) == (True, None, RIVER_BACKOFF)


@pytest.mark.parametrize("timeout", [0, -1, math.nan, math.inf, 10**400, True, "30", timedelta(), [30]])
def test_a_time_limit_that_is_none_is_refused(timeout: object) -> None:
    with pytest.raises(InvalidInput, match=r"timeout: .* is not allowed; expected a number of seconds above 0"):
        handler("email", timeout=timeout)  # type: ignore[arg-type]  # what is not typed must be refused too


def test_the_kind_comes_in_parentheses() -> None:
    with pytest.raises(InvalidInput, match=r"kind: .* is not allowed"):

        @handler  # type: ignore[arg-type]  # the mistake that is tested
        def send() -> None: ...


def test_one_kind_has_one_handler() -> None:
    @handler("email")
    def first() -> None: ...

    with pytest.raises(ValueError, match=r"two handlers for kind 'email': .*first and .*second"):

        @handler("email")
        def second() -> None: ...

    assert load_handlers([])["email"].function is first


def test_functions_of_the_same_name_in_two_modules_are_two_handlers(tmp_path: Path, write: Write) -> None:
    text = "import riverrun\n@riverrun.handler('email')\ndef send(): ...\n"
    names = [write(text, "first_handlers"), write(text, "second_handlers")]

    with pytest.raises(ConfigError, match=r"two handlers for kind 'email': first_handlers.send and second_handlers"):
        load_handlers(names, [tmp_path])


def test_a_module_that_is_loaded_anew_replaces_its_handlers(tmp_path: Path, write: Write) -> None:
    name = write("import riverrun\n@riverrun.handler('email')\ndef send(): return 1\n")
    before = load_handlers([name], [tmp_path])["email"]

    importlib.reload(sys.modules[name])

    after = load_handlers([name])["email"]
    assert after.function is not before.function


def test_modules_are_found_in_the_folders_of_the_configuration_first(tmp_path: Path, write: Write) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "mine.py").write_text("import riverrun\nriverrun.handler('right')(lambda: None)\n")
    write("import riverrun\nriverrun.handler('wrong')(lambda: None)\n", "mine")

    found = load_handlers(["mine"], [tmp_path / "first", tmp_path])

    assert set(found) == {"right"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing' ({file}, line 1)"),
        ("\n1 / 0", "ZeroDivisionError: division by zero ({file}, line 2)"),
        ("x = (", "SyntaxError: '(' was never closed (written_handlers.py, line 1)"),
        ("import sys; sys.exit()", "SystemExit ({file}, line 1)"),
        ("import sys; sys.exit(0)", "SystemExit: 0 ({file}, line 1)"),
        ("class E(BaseException): ...\nraise E('odd')", "E: odd ({file}, line 2)"),
        (
            "class E(Exception):\n def __str__(self): raise self\nraise E",
            "E (its message cannot be read) ({file}, line 3)",
        ),
    ],
)
def test_a_module_that_cannot_be_imported_is_a_sentence(tmp_path: Path, write: Write, text: str, said: str) -> None:
    name = write(text)

    with pytest.raises(ConfigError) as refusal:
        load_handlers([name], [tmp_path])

    expected = said.format(file=tmp_path / f"{name}.py")
    assert refusal.value.problems == (f"handlers.modules: {name} cannot be imported: {expected}",)


def test_every_module_that_cannot_be_imported_is_told_at_once(tmp_path: Path, write: Write) -> None:
    name = write("import riverrun\n@riverrun.handler('email')\ndef send(*args): ...\n")

    with pytest.raises(ConfigError) as refusal:
        load_handlers(["no_such_module", name, "", ".relative"], [tmp_path])

    first, second, third, fourth = refusal.value.problems
    assert first == (
        "handlers.modules: no_such_module cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"
    )
    assert "TypeError: written_handlers.send: *args says nothing" in second
    assert "cannot be imported: ValueError" in third
    assert ".relative cannot be imported: TypeError" in fourth


def test_ctrl_c_during_an_import_is_no_problem_of_the_module(tmp_path: Path, write: Write) -> None:
    name = write("raise KeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        load_handlers([name], [tmp_path])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"concurrency": 0}, "concurrency: 0 is not allowed; expected a whole number from 1 to 10000"),
        ({"concurrency": True}, "concurrency: True is not allowed"),
        ({"isolation": "thread"}, "isolation: 'thread' is not allowed; expected process or None"),
        ({"isolation": "process", "memory_mb": 1.5}, "memory_mb: 1.5 is not allowed"),
        ({"memory_mb": 64}, 'memory_mb: 64 is not allowed; expected nothing without isolation="process"'),
    ],
)
def test_options_that_are_not_allowed_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(message)):
        handler("email", **options)
