"""What an attempt leaves with its job: metadata, written about once a second while it runs, and with its end."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from types import MappingProxyType

from riverrun.claimed_job import ClaimedJob
from riverrun.job_log import LOG_KEY, JobLog
from riverrun.members import object_of

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Notes:
    """Members of the job's metadata, by name, as JSON text; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[str, str] = {}
        self._unwritten: dict[str, str] = {}
        self._taken: set[str] = set()
        self._log: JobLog | None = None

    def put(self, members: Mapping[str, str]) -> None:
        """Keep ``members``, each in place of an earlier one of its name."""
        with self._lock:
            self._kept.update(members)
            self._unwritten.update(members)

    def drop(self, key: str) -> None:
        """Forget a member: somebody else writes it."""
        with self._lock:
            self._kept.pop(key, None)
            self._unwritten.pop(key, None)

    def has(self, *keys: str) -> bool:
        """Return whether one of ``keys`` was put, or written by somebody else."""
        with self._lock:
            return any(key in self._kept or key in self._taken for key in keys)

    def open_log(self, job: ClaimedJob) -> JobLog:
        """Return the log that is kept with ``job``; the first call begins it."""
        with self._lock:
            self._log = self._log or JobLog(job)
            return self._log

    def take(self, *, again: bool = False) -> str | None:
        """Return what was put or logged since the last call as a JSON object; ``None`` when nothing was.

        Args:
            again: What was taken before may not have been written: return that as well.
        """
        with self._lock:
            members = dict(self._kept) if again else self._unwritten
            self._unwritten = {}
            self._taken.update(members)
        return self._with_log(members, whole=again)

    def all(self, restored: Mapping[str, str] = _NOTHING) -> str | None:
        """Return everything as a JSON object; ``None`` when there is nothing.

        Args:
            restored: Members that are not to be kept, with the values they had before: those that were written
                meanwhile get them back, the others are left out.
        """
        with self._lock:
            members = {key: text for key, text in self._kept.items() if key not in restored}
            members |= {key: text for key, text in restored.items() if key in self._taken}
        return self._with_log(members, whole=True)

    def all_and(self, members: Mapping[str, str]) -> str:
        """Return everything and ``members`` as a JSON object, for a write in between."""
        with self._lock:
            kept = {**self._kept, **members}
            self._taken.update(members)
        return self._with_log(kept, whole=True) or "{}"

    def _with_log(self, members: Mapping[str, str], *, whole: bool = False) -> str | None:
        log = None
        if self._log is not None:
            log = self._log.text() if whole else self._log.take()
        return object_of(members if log is None else {**members, LOG_KEY: log})
