"""Lets a handler go on where an earlier attempt of its job stopped: named steps, and a cursor within a step.

What is done stands in the job's metadata under River's own names, so that another client's worker can go on with it:

    river:resumable_step     the last step that finished; the next attempt skips all up to it
    river:resumable_cursor   an object: how far a step has come that did not finish, by its name

As in River, a step that failed fails the attempt, and a completed job keeps what it had when its last attempt began.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from riverrun.claimed_job import ClaimedJob
from riverrun.errors import InvalidInput, NotFound
from riverrun.functions import is_async, named
from riverrun.json_input import check_metadata
from riverrun.notes import Notes
from riverrun.sanitize import clean_json

STEP_KEY = "river:resumable_step"
CURSOR_KEY = "river:resumable_cursor"

_MAX_CLAIMED_BYTES = 32 * 1024 * 1024


class Resumable:
    """The steps of one attempt, taken one after the other; a step may hold others."""

    def __init__(self, job: ClaimedJob, notes: Notes) -> None:
        self._notes = notes
        step, cursors = (job.metadata.get(key) for key in (STEP_KEY, CURSOR_KEY))
        self._skip_to = step if isinstance(step, str) and step else None
        if cursors is not None and not isinstance(cursors, dict):
            raise InvalidInput(f"metadata.{CURSOR_KEY}", type(cursors).__name__, "an object of cursors by step")
        self._cursors: dict[str, Any] = dict(cursors or {})
        self._had_cursors = bool(cursors)
        self._saved: set[str] = set()
        self._seen: set[str] = set()
        self._open: list[str] = []
        self._done: str | None = None
        self._failure: Exception | None = None

    def run(self, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a step, or skip it if an earlier attempt finished it; see `riverrun.Context.step`."""
        if is_async(function):
            return self._run_async(name, function, args, kwargs)
        if not self._is_due(name):
            return None
        with self._step(name):
            result = function(*args, **kwargs)
            if inspect.isawaitable(result):
                if inspect.iscoroutine(result):
                    result.close()
                # Skipped, it would give nothing to await, and only then would anybody notice.
                raise TypeError(
                    f"step {name!r}: {named(function)} returned a coroutine; give the async function itself"
                )
        return result

    async def _run_async(
        self,
        name: str,
        function: Callable[..., Coroutine[Any, Any, Any]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        if not self._is_due(name):
            return None
        with self._step(name):
            return await function(*args, **kwargs)

    @property
    def cursor(self) -> Any:
        """How far the present step has come, as an earlier attempt or this one has said; ``None`` at its beginning."""
        return self._cursors.get(self._present())

    @cursor.setter
    def cursor(self, value: object) -> None:
        name = self._present()
        self._cursors[name] = _checked(name, value)
        self._saved.discard(name)
        self._note()

    def saved_in(self, cursor: object) -> dict[str, str]:
        """Return what a transaction of the handler's own is to write: the steps, and ``cursor`` unless it is ``None``.

        From then on only such transactions write the cursor of the present step: if one is rolled back, what it wrote
        must not come back with the end of the attempt.
        """
        if cursor is not None:
            name = self._present()
            self._cursors[name] = _checked(name, cursor)
            self._saved.add(name)
            self._notes.drop(CURSOR_KEY)
        return self._members()

    def check_end(self) -> None:
        """Refuse to let the attempt count as a success when its steps do not.

        Raises:
            Exception: What a step raised.
            NotFound: The step after which an earlier attempt stopped was never reached, so that nothing was done.
        """
        if self._failure is not None:
            raise self._failure
        if self._skip_to is not None:
            raise NotFound("resumable step", repr(self._skip_to))

    def _is_due(self, name: str) -> bool:
        """Return whether a step must be run, and remember that it was met."""
        if self._failure is not None:
            raise self._failure
        if not isinstance(name, str) or not name:
            raise InvalidInput("step", name, "a name")
        if name in self._seen:
            raise InvalidInput("step", name, "a name that no other step of the attempt has")
        self._seen.add(name)
        if self._skip_to is None:
            return True
        if name != self._skip_to:
            return False
        self._done, self._skip_to = name, None
        return name in self._cursors  # River's other clients may mark a step as the last and give it a cursor

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self._open.append(name)
        try:
            yield
        except Exception as error:
            self._failure = error
            raise
        finally:
            self._open.pop()
        self._done = name
        self._cursors.pop(name, None)
        self._saved.discard(name)
        self._note()

    def _present(self) -> str:
        if not self._open:
            raise InvalidInput("cursor", None, "to be used within ctx.step(...)")
        return self._open[-1]

    def _note(self) -> None:
        members = self._members()
        if self._saved:
            members.pop(CURSOR_KEY, None)
        self._notes.put(members)

    def _members(self) -> dict[str, str]:
        members = {} if self._done is None else {STEP_KEY: json.dumps(self._done, ensure_ascii=False)}
        self._had_cursors = self._had_cursors or bool(self._cursors)
        if self._had_cursors:
            members[CURSOR_KEY] = json.dumps(self._cursors or None, ensure_ascii=False)
        return members


def as_claimed(job: ClaimedJob) -> dict[str, str]:
    """Return the members as they were when ``job`` was claimed: a completed job keeps those."""
    return {key: clean_json(job.metadata.get(key), limit=_MAX_CLAIMED_BYTES) for key in (STEP_KEY, CURSOR_KEY)}


def _checked(name: str, cursor: object) -> Any:
    """Return a cursor as the next attempt will read it; it must be exact, so what is no JSON is refused."""
    document: Mapping[str, Any] = json.loads(check_metadata({name: cursor}, "cursor"))
    return document[name]
