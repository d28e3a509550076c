"""The judge: what the witnesses saw, held against what is promised. It never asks the daemon.

    L lost         every job that was acknowledged ends as its kind should, and its handler said so
    Z stale        a job is completed only by the attempt that did the work
    O overlap      no two attempts of a job work at the same time
    C ticks        every tick of a schedule becomes one job
    G generations  what a leader writes carries the newest generation, and each generation has one writer
    K keys         no two jobs hold a unique key together; nobody runs more than it has slots; nothing is there twice
    S states       only legal changes of state, each with the attempt it belongs to
    R recovery     after the fault as many jobs are completed as before it

Each verdict is a list of sentences, one for each violation; all empty is what is promised.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from fault.history import Change, Effect, History, is_rescue

FINAL = frozenset({"completed", "discarded", "cancelled"})
ENDS = frozenset({"done", "failed", "stopped"})

LEGAL: Mapping[str | None, frozenset[str | None]] = {
    None: frozenset({"available", "scheduled", "pending"}),
    "available": frozenset({"running", "cancelled", None}),
    "scheduled": frozenset({"available", "cancelled", "discarded", None}),
    "pending": frozenset({"running", "available", "scheduled", "cancelled", None}),
    "running": frozenset({"completed", "cancelled", "discarded", "retryable", "scheduled", "available", "pending"}),
    "retryable": frozenset({"available", "cancelled", "discarded", None}),
    "completed": frozenset({"available", None}),
    "cancelled": frozenset({"available", None}),
    "discarded": frozenset({"available", None}),
}
"""River's states and the ways between them; from a last state only by hand."""

LAST_ATTEMPT = 2**15 - 1
"""The highest number that an attempt can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What a scenario allows besides the rule.

    Attributes:
        ends: The last state of each kind's jobs; ``completed`` for a kind that is not named.
        overlap: Seconds for which a frozen or cut off executor may go on with a job that another has.
        slots: Jobs that one executor process may run at once.
        interval: Seconds between two ticks of the schedules.
        fault_at, healed_at: When the fault began and when it was over, for the recovery; None: not asked.
        throughput: The part of the throughput before the fault that must be reached again.
    """

    ends: Mapping[str, str] | None = None
    overlap: float = 0.0
    slots: int | None = None
    interval: float = 1.0
    fault_at: float | None = None
    healed_at: float | None = None
    throughput: float = 0.95


Verdict = dict[str, list[str]]


def judge(history: History, promise: Promise | None = None) -> Verdict:
    """Return the violations of each promise, by its letter."""
    promise = promise or Promise()
    return {letter: list(rule(history, promise)) for letter, rule in RULES.items()}


def lost(history: History, promise: Promise) -> Iterator[str]:
    """L: jobs that were acknowledged, or that appeared after no answer, and did not end as they should."""
    last = {change.job_id: change for change in history.changes}
    ended_well = {effect.job_id for effect in history.effects if effect.phase == "done"}
    acknowledged = {entry.job_id: entry for entry in history.enqueued if entry.answer == "ok" and entry.job_id}
    present = {change.job_id for change in history.changes if change.old_state is None and change.key is not None}
    for job_id in sorted(acknowledged.keys() | present):
        change = last.get(job_id)
        if change is None:
            yield f"job {job_id} was acknowledged and never existed"
            continue
        wanted = (promise.ends or {}).get(change.kind, "completed")
        if change.new_state != wanted:
            yield f"job {job_id} ({change.kind}) is {change.new_state}, not {wanted}"
        elif wanted == "completed" and job_id not in ended_well:
            yield f"job {job_id} is completed, but its handler never came to its end"


def stale(history: History, _promise: Promise) -> Iterator[str]:
    """Z: jobs completed by somebody who had not done the work of this attempt."""
    done = {
        (effect.job_id, effect.attempt, effect.attempted_us): effect.at
        for effect in history.effects
        if effect.phase == "done"
    }
    for change in history.changes:
        if change.new_state != "completed" or change.old_state != "running":
            continue
        at = done.get((change.job_id, change.old_attempt or 0, change.old_attempted_us or 0))
        if at is None or at > change.at:
            yield f"attempt {change.old_attempt} of job {change.job_id} was completed before its handler was done"


def overlaps(history: History, promise: Promise) -> Iterator[str]:
    """O: a job whose earlier attempt was seen to work after a later one had begun."""
    for job_id, effects in _by_job(history.effects).items():
        runs: dict[tuple[int, str], list[float]] = defaultdict(list)
        for effect in effects:
            runs[effect.attempted_us, effect.executor].append(effect.at)
        order = sorted(runs.values(), key=min)
        for earlier, later in itertools.pairwise(order):
            seconds = max(earlier) - min(later)
            if seconds > promise.overlap:
                yield f"two attempts of job {job_id} worked at the same time for {seconds:.2f} s"


def ticks(history: History, promise: Promise) -> Iterator[str]:
    """C: ticks of a schedule that became no job, or more than one."""
    by_schedule: dict[str, Counter[datetime]] = defaultdict(Counter)
    for change in history.changes:
        if change.old_state is None and change.schedule is not None and change.tick is not None:
            by_schedule[change.schedule][datetime.fromisoformat(change.tick)] += 1
    for schedule, found in by_schedule.items():
        yield from (f"tick {tick} of {schedule} became {count} jobs" for tick, count in found.items() if count > 1)
        step, tick, last = timedelta(seconds=promise.interval), min(found), max(found)
        while (tick := tick + step) < last:
            if tick not in found:
                yield f"tick {tick} of {schedule} was missed"


def generations(history: History, _promise: Promise) -> Iterator[str]:
    """G: a leader wrote after the next one had begun, or two wrote as one."""
    began = {term.generation: term.backend for term in history.terms}
    newest = 0
    for term in history.terms:
        if term.generation <= newest:
            yield f"generation {term.generation} began after generation {newest}"
        newest = max(newest, term.generation)
    seen = 0
    for change in history.changes:
        if not change.application.startswith("riverrun/scheduler") or change.generation is None:
            continue
        if change.generation < seen:
            yield f"generation {change.generation} wrote job {change.job_id} after generation {seen}"
        seen = max(seen, change.generation)
        writer = began.get(change.generation)
        if writer is not None and writer != change.backend:
            yield f"session {change.backend} wrote job {change.job_id} in generation {change.generation} of {writer}"


def keys(history: History, promise: Promise) -> Iterator[str]:
    """K: a unique key held twice, an enqueue that became two jobs, more jobs at once than slots."""
    holders: dict[str, int] = {}
    holds: dict[int, str] = {}
    births = Counter(change.key for change in history.changes if change.old_state is None and change.key is not None)
    yield from (f"the enqueue {key} became {count} jobs" for key, count in births.items() if count > 1)
    for change in history.changes:
        if (held := holds.pop(change.job_id, None)) is not None:
            del holders[held]
        if change.unique_key is None or change.new_state is None:
            continue
        if change.unique_key in holders:
            yield f"jobs {holders[change.unique_key]} and {change.job_id} hold a unique key together"
            continue
        holders[change.unique_key], holds[change.job_id] = change.job_id, change.unique_key
    if promise.slots is not None:
        yield from _crowds(history.effects, promise.slots)


def _crowds(effects: Iterable[Effect], slots: int) -> Iterator[str]:
    running: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for effect in effects:
        attempt = effect.job_id, effect.attempted_us
        if effect.phase == "begin":
            running[effect.executor].add(attempt)
            if len(running[effect.executor]) > slots:
                yield f"executor {effect.executor} ran {len(running[effect.executor])} jobs in {slots} slots"
        elif effect.phase in ENDS:
            running[effect.executor].discard(attempt)


def states(history: History, _promise: Promise) -> Iterator[str]:
    """S: a change of state that River does not know, or with the wrong attempt."""
    for change in history.changes:
        if change.new_state == change.old_state:
            if change.old_state == "running" and change.old_attempted_us != change.new_attempted_us:
                yield f"job {change.job_id} changed hands while it was running"
            continue
        if change.new_state not in LEGAL[change.old_state]:
            yield f"job {change.job_id} went from {change.old_state} to {change.new_state}"
        elif problem := _problem(change):
            yield f"job {change.job_id}, {change.old_state} to {change.new_state}: {problem}"


def _problem(change: Change) -> str | None:
    if change.new_state is None:
        return None
    if change.finalized != (change.new_state in FINAL):
        return f"finalized_at is {'set' if change.finalized else 'not set'}"
    old, new = change.old_attempt or 0, change.new_attempt or 0
    if change.new_state == "running":
        counted = new == min(old + 1, LAST_ATTEMPT)
        return None if counted and change.new_executor else f"{change.new_executor} made attempt {old} to {new}"
    return _problem_of_an_end(change) if change.old_state == "running" else None


def _problem_of_an_end(change: Change) -> str | None:
    """Return what is wrong about how an attempt ended."""
    old, new = change.old_attempt or 0, change.new_attempt or 0
    given_back = new == old - 1 and change.new_state in {"available", "scheduled", "cancelled", "pending"}
    if change.new_state == "pending" and not (given_back or is_rescue(change)):
        return "a job is set aside by a rescue, or by giving it back"
    if new != old and not given_back:
        return f"attempt {old} became {new}"
    same = (change.old_attempted_us, change.old_executor) == (change.new_attempted_us, change.new_executor)
    return None if same else "the attempt was changed on its way out"


def recovery(history: History, promise: Promise) -> Iterator[str]:
    """R: fewer completed jobs a second after the fault than before."""
    if promise.fault_at is None or promise.healed_at is None:
        return
    ratio = throughput_ratio(history, promise.fault_at, promise.healed_at)
    if ratio < promise.throughput:
        yield f"throughput came back to {ratio:.0%} of what it was"


def throughput_ratio(history: History, fault_at: float, healed_at: float) -> float:
    """Return the jobs completed a second from the healing on, over those before the fault."""
    at = sorted(change.at for change in history.changes if change.new_state == "completed")
    before, after = [when for when in at if when < fault_at], [when for when in at if when >= healed_at]
    if len(before) < 2 or len(after) < 2:
        return 0.0
    return (len(after) / (after[-1] - healed_at)) / (len(before) / (fault_at - before[0]))


def percentile(values: Iterable[float], part: float) -> float | None:
    """Return the value below which ``part`` of ``values`` lies; None when there are none."""
    order = sorted(values)
    return order[max(0, math.ceil(part * len(order)) - 1)] if order else None


def _by_job(effects: Iterable[Effect]) -> dict[int, list[Effect]]:
    by_job: dict[int, list[Effect]] = defaultdict(list)
    for effect in effects:
        by_job[effect.job_id].append(effect)
    return by_job


RULES: Mapping[str, Callable[[History, Promise], Iterator[str]]] = {
    "L": lost,
    "Z": stale,
    "O": overlaps,
    "C": ticks,
    "G": generations,
    "K": keys,
    "S": states,
    "R": recovery,
}
