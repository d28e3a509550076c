"""The judge finds every kind of crime in histories made by hand, and none where there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fault.checker import LEGAL, Promise, judge, percentile
from fault.history import Change, Effect, Enqueued, History, TermBegun

pytestmark = pytest.mark.quick

ATTEMPT = 1_000_000


def good() -> History:
    """One job that was enqueued, claimed, done and completed."""
    return History(
        enqueued=[Enqueued(key="k1", kind="work", at=1.0, job_id=1, answer="ok")],
        changes=[
            Change(at=1.0, seq=1, job_id=1, key="k1", new_state="available", new_attempt=0),
            Change(
                at=2.0, seq=2, job_id=1, key="k1", old_state="available", new_state="running", old_attempt=0,
                new_attempt=1, new_attempted_us=ATTEMPT, new_executor="a_1",
            ),
            Change(
                at=3.0, seq=3, job_id=1, key="k1", old_state="running", new_state="completed", old_attempt=1,
                new_attempt=1, old_attempted_us=ATTEMPT, new_attempted_us=ATTEMPT, old_executor="a_1",
                new_executor="a_1", finalized=True,
            ),
        ],
        effects=[
            Effect(at=2.1, job_id=1, attempt=1, attempted_us=ATTEMPT, executor="a:1", phase="begin"),
            Effect(at=2.9, job_id=1, attempt=1, attempted_us=ATTEMPT, executor="a:1", phase="done"),
        ],
    )  # fmt: skip


def broken(history: History, promise: Promise | None = None) -> str:
    """Return the letters of the promises that were broken."""
    return "".join(letter for letter, violations in judge(history, promise).items() if violations)


def test_a_good_history_breaks_no_promise() -> None:
    assert broken(good()) == ""


def test_an_acknowledged_job_that_never_existed_is_lost() -> None:
    history = good()
    history.enqueued.append(Enqueued(key="k2", kind="work", at=1.0, job_id=2, answer="ok"))

    assert broken(history) == "L"


def test_a_job_that_stays_running_is_lost() -> None:
    history = good()
    del history.changes[2]

    assert broken(history) == "L"


def test_a_job_that_is_discarded_is_lost_unless_its_kind_should_be() -> None:
    history = good()
    history.changes[2] = replace(history.changes[2], new_state="discarded")

    assert broken(history) == "L"
    assert broken(history, Promise(ends={"work": "discarded"})) == ""


def test_a_completed_job_whose_handler_never_ended_is_lost_and_was_completed_by_another() -> None:
    history = good()
    del history.effects[1]

    assert broken(history) == "LZ"


def test_a_job_of_which_the_producer_heard_nothing_may_be_missing_but_not_left_undone() -> None:
    history = good()
    history.enqueued[0] = replace(history.enqueued[0], job_id=None, answer="unknown")

    assert broken(history) == ""
    assert broken(replace_changes(history, history.changes[:1])) == "L"
    assert broken(History(enqueued=history.enqueued)) == ""


def test_an_attempt_that_is_completed_by_the_one_before_it_is_stale() -> None:
    history = good()
    late = {"old_attempt": 2, "new_attempt": 2, "old_attempted_us": 2 * ATTEMPT, "new_attempted_us": 2 * ATTEMPT}
    history.changes[2] = replace(history.changes[2], **late)  # type: ignore[arg-type]  # columns of the right types

    assert broken(history) == "Z"


def test_two_attempts_that_work_at_the_same_time_overlap_unless_that_was_allowed() -> None:
    history = good()
    second = Effect(at=2.4, job_id=1, attempt=2, attempted_us=2 * ATTEMPT, executor="b:1", phase="begin")
    history.effects.insert(1, second)

    assert broken(history) == "O"
    assert broken(history, Promise(overlap=1.0)) == ""


def test_attempts_one_after_the_other_do_not_overlap() -> None:
    history = good()
    history.effects.append(Effect(at=3.1, job_id=1, attempt=2, attempted_us=2 * ATTEMPT, executor="b:1", phase="begin"))

    assert broken(history) == ""


def tick(job_id: int, second: int) -> Change:
    return Change(
        at=float(second), job_id=job_id, new_state="available", new_attempt=0, schedule="each",
        tick=f"2026-01-01T00:00:{second:02}+00:00",
    )  # fmt: skip


def test_ticks_without_a_gap_and_once_each_are_right() -> None:
    assert broken(History(changes=[tick(1, 1), tick(2, 2), tick(3, 3)])) == ""


def test_a_missed_tick_is_found() -> None:
    assert broken(History(changes=[tick(1, 1), tick(3, 3)])) == "C"


def test_a_tick_that_became_two_jobs_is_found() -> None:
    assert broken(History(changes=[tick(1, 1), tick(2, 1)])) == "C"


def led(generation: int, backend: int) -> Change:
    return replace(tick(1, 1), schedule=None, application="riverrun/scheduler", generation=generation, backend=backend)


TERMS = [
    TermBegun(at=1.0, generation=1, backend=11, server_id="a"),
    TermBegun(at=2.0, generation=2, backend=22, server_id="b"),
]


def test_each_leader_in_its_term_is_right() -> None:
    assert broken(History(terms=TERMS, changes=[led(1, 11), led(2, 22)])) == ""


@pytest.mark.parametrize(
    ("terms", "changes"),
    [
        (TERMS, [led(2, 22), led(2, 11)]),
        (TERMS, [led(2, 22), led(1, 11)]),
        (TERMS[::-1], []),
    ],
    ids=["two write as one", "the old one writes after the new one", "a number goes back"],
)
def test_generations_that_interleave_are_found(terms: list[TermBegun], changes: list[Change]) -> None:
    assert broken(History(terms=terms, changes=changes)) == "G"


def test_a_unique_key_that_two_jobs_hold_is_found() -> None:
    one, two = (Change(at=1.0, job_id=job_id, new_state="available", unique_key="aa") for job_id in (1, 2))
    gone = replace(one, old_state="available", new_state="cancelled", unique_key=None, finalized=True)

    assert broken(History(changes=[one, two])) == "K"
    assert broken(History(changes=[one, gone, two])) == ""


def test_one_enqueue_that_became_two_jobs_is_found() -> None:
    history = good()
    history.changes.insert(0, replace(history.changes[0], job_id=7))

    assert broken(history) == "LK"


def test_more_jobs_than_slots_are_found() -> None:
    history = good()
    history.effects.insert(1, replace(history.effects[0], job_id=9, at=2.2))

    assert broken(history, Promise(slots=1)) == "K"
    assert broken(history, Promise(slots=2)) == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"old_state": "available"},
        {"finalized": False},
        {"new_attempt": 2},
        {"new_attempted_us": 5},
        {"new_executor": "b_1"},
        {"new_state": "pending", "finalized": False},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_wrong_change_of_state_is_found(wrong: dict[str, object]) -> None:
    history = good()
    history.changes[2] = replace(history.changes[2], **wrong)  # type: ignore[arg-type]  # columns of the right types

    assert "S" in broken(history)


def test_a_running_job_that_changes_hands_is_found() -> None:
    history = good()
    stolen = replace(history.changes[2], new_state="running", new_attempted_us=5, finalized=False)
    history.changes.insert(2, stolen)

    assert broken(history) == "S"


def test_an_attempt_may_be_given_back() -> None:
    history = good()
    history.changes[2] = replace(history.changes[2], new_state="available", new_attempt=0, finalized=False)

    assert broken(history, Promise(ends={"work": "available"})) == ""


def test_the_states_are_those_of_the_schema() -> None:
    assert {state for state in LEGAL if state} == {
        "available", "cancelled", "completed", "discarded", "pending", "retryable", "running", "scheduled",
    }  # fmt: skip


def completed(*at: float) -> History:
    return History(changes=[replace(good().changes[2], at=when, job_id=number) for number, when in enumerate(at)])


def test_throughput_that_does_not_come_back_is_found() -> None:
    before, after = [n / 10 for n in range(100)], [20 + n for n in range(10)]
    promise = Promise(fault_at=10.0, healed_at=20.0)

    assert "R" in broken(completed(*before, *after), promise)
    assert "R" not in broken(completed(*before, *(20 + n / 10 for n in range(100))), promise)


def test_percentiles() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([3.0, 1.0, 2.0], 1.0) == 3.0
    assert percentile([], 0.5) is None


def replace_changes(history: History, changes: list[Change]) -> History:
    return History(history.enqueued, history.effects[:0], changes, history.terms)
