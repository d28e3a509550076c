"""Proofs that tests can fail: each mechanism is taken out of a copy of the product, and a named test must notice."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from riverrun.database.postgres_binaries import wheel_binaries

ROOT = Path(__file__).parents[2]
NEWEST = str(wheel_binaries().major)
COMPONENTS = ("core", "executor", "scheduler", "supervisor", "admin_api", "cli")


@dataclass(frozen=True)
class Mutation:
    """One mechanism, how it is taken out, and the test that must miss it.

    Attributes:
        removed: What is taken out, in words.
        file: Where it is.
        pattern: A regular expression for it.
        instead: What stands in its place.
        test: The test, by file and name.
    """

    removed: str
    file: str
    pattern: str
    instead: str
    test: str


MUTATIONS = [
    Mutation(
        "the fence of finalize",
        "sql/queries/job_finalize.sql",
        r"\n +AND attempt = done\.attempt\n.*?%\(incarnation\)s::text",
        "",
        "tests/integration/test_executor.py::test_a_stale_attempt_cannot_finish_a_newer_one",
    ),
    *(
        Mutation(
            f"{part} in the fence of {statement}",
            f"sql/queries/job_{statement}.sql",
            pattern,
            "",
            "tests/fault/test_statements.py::test_a_stale_attempt_writes_nothing_whichever_part_of_its_fence_has_changed",
        )
        for statement, part, pattern in (
            ("complete", "the start", r"\n +AND (job\.)?attempted_at = [^\n]*"),
            ("complete_in", "the number", r"\n +AND attempt = [^\n]*"),
            ("save_in", "the executor", r"\n +AND attempted_by[^\n]*"),
            ("progress", "the start", r"\n +AND job\.attempted_at = [^\n]*"),
        )
    ),
    Mutation(
        "the fence of a rescue",
        "sql/queries/job_rescue.sql",
        r"WHERE job\.state::text = 'running'\n +AND job\.attempt = .*?lost\.incarnation",
        "WHERE true",
        "tests/integration/test_rescuer.py::test_a_job_that_finished_between_scan_and_rescue_is_left_as_it_is",
    ),
    Mutation(
        "the passing by of rows that somebody holds",
        "sql/queries/job_progress.sql",
        r" SKIP LOCKED",
        "",
        "tests/integration/test_recording.py::test_notes_of_a_job_whose_row_is_held_wait_for_it_and_keep_nothing_else_waiting",
    ),
    Mutation(
        "the comparison of last_tick",
        "sql/queries/schedule_tick.sql",
        r"\n +AND last_tick IS NOT DISTINCT FROM [^\n]*",
        "",
        "tests/integration/test_schedules.py::test_a_tick_that_was_enqueued_by_another_leader_is_not_enqueued_again",
    ),
    Mutation(
        "the grace after a restart",
        "scheduler/riverrun_scheduler/rescuer.py",
        r"GRACE = timedelta\(seconds=\d+\)",
        "GRACE = timedelta()",
        "tests/integration/test_rescuer.py::test_nothing_is_rescued_right_after_an_election_or_a_restart_of_postgresql",
    ),
    Mutation(
        "the grace after the clock was set",
        "scheduler/riverrun_scheduler/term.py",
        r", self\._clock\.steady_for\)",
        ")",
        "tests/integration/test_rescuer.py::test_nothing_is_rescued_right_after_the_clock_of_the_database_was_set",
    ),
    Mutation(
        "the look for jobs that others have got since a crash",
        "core/riverrun/store/recovery.py",
        r"\n +taken = yield from attempts\.taken\(taken, incarnation\)",
        "\n        taken = []",
        "tests/integration/test_lost_connections.py::test_a_handler_is_stopped_when_somebody_has_got_its_job_after_a_crash_of_the_server",
    ),
    Mutation(
        "the claim of what a crash has undone",
        "core/riverrun/store/recovery.py",
        r"\n +yield from attempts\.reclaim\(taken, incarnation\)",
        "",
        "tests/integration/test_lost_connections.py::test_an_end_is_written_although_a_crash_of_the_server_has_undone_the_claim_before_it",
    ),
    Mutation(
        "the wait for the others after a crash",
        "sql/queries/recovery_over.sql",
        r"OR NOT EXISTS \(SELECT FROM awaited\)",
        "OR true",
        "tests/integration/test_recovery.py::test_nobody_claims_after_a_crash_until_all_who_live_have_recovered",
    ),
    Mutation(
        "the doubt about a kill by hand",
        "sql/queries/job_crashed.sql",
        r"NOT %\(by_hand\)s::bool OR ",
        "NOT %(by_hand)s::bool OR true OR ",
        "tests/integration/test_lease.py::test_a_kill_by_hand_costs_a_job_that_ran_alone_nothing_until_it_has_crashed_too_often",
    ),
    Mutation(
        "the generation in what a leader writes",
        "sql/queries/job_rescue.sql",
        r"OR EXISTS \(SELECT FROM riverrun_leader .*?\)\n",
        "OR true\n",
        "tests/integration/test_rescuer.py::test_a_leader_of_an_earlier_term_rescues_nothing",
    ),
    Mutation(
        "the generation in a tick",
        "sql/queries/schedule_tick.sql",
        r"\n +AND EXISTS \(SELECT FROM riverrun_leader [^\n]*",
        "",
        "tests/integration/test_schedules.py::test_a_leader_of_an_earlier_term_enqueues_nothing",
    ),
    Mutation(
        "the end of an executor by its own clock",
        "executor/riverrun_executor/lease.py",
        r"self\._lost\(\)",
        "pass",
        "tests/integration/test_lease.py::test_an_executor_whose_lease_is_over_stops_its_handlers_and_claims_nothing",
    ),
    Mutation(
        "the end of a release by a step of a newer one",
        "core/riverrun/database/schema_check.py",
        r"not ended < latest\(\) or ",
        "",
        "tests/integration/test_migrate.py::test_a_newer_schema_that_does_without_this_release_is_refused_by_all",
    ),
    Mutation(
        "the steps that a release needs",
        "core/riverrun/database/schema_check.py",
        r" or own < oldest\(\)",
        "",
        "tests/integration/test_releases.py::test_tables_that_lack_a_step_which_is_needed_are_refused",
    ),
    Mutation(
        "the end of a connection that is silent",
        "executor/riverrun_executor/ending_writer.py",
        r"with deadline\(conn, ANSWER_SECONDS \+",
        "with deadline(conn, 60 +",
        "tests/integration/test_lost_connections.py::"
        "test_what_has_ended_is_written_soon_although_the_old_connections_stay_open_and_carry_nothing",
    ),
    Mutation(
        "the beat of a leader whose tables are locked",
        "scheduler/riverrun_scheduler/reign.py",
        r"await self\._term\.beat\(\)",
        "raise error",
        "tests/integration/test_leader.py::"
        "test_a_leader_outlasts_a_lock_on_the_jobs_and_hands_over_in_the_middle_of_it",
    ),
    Mutation(
        "the renewal of leases before the jobs of the dead",
        "supervisor/riverrun_supervisor/lease.py",
        r"(\n +await self\._renew\(conn\))\n +await self\._see_to_jobs\(conn\)",
        r"\n            await self._settle(conn)\1",
        "tests/integration/test_lease.py::test_a_death_whose_jobs_are_locked_costs_the_neighbours_no_lease",
    ),
    Mutation(
        "the reconciliation before the end",
        "executor/riverrun_executor/control.py",
        r"\n +await self\._reconcile\(conn, lost_after=timedelta\(\)\)",
        "",
        "tests/integration/test_executor.py::test_a_claim_whose_answer_was_lost_is_given_back",
    ),
    Mutation(
        "the bisection of a batch",
        "executor/riverrun_executor/ending_writer.py",
        r"if not is_about_a_row\(error, conn\):(\n +raise\n +if len\(batch\))",
        r"if True:\1",
        "tests/fault/test_statements.py::test_one_result_that_cannot_be_stored_takes_no_other_with_it",
    ),
]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mutation", MUTATIONS, ids=[mutation.removed for mutation in MUTATIONS])
def test_without_a_mechanism_the_test_that_guards_it_fails(mutation: Mutation, tmp_path: Path) -> None:
    """A copy of the product without it, and one test of its suite."""
    for folder in (*COMPONENTS, "sql", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    for file in ("pyproject.toml", "config.example.yaml"):
        shutil.copy(ROOT / file, tmp_path)
    target = tmp_path / mutation.file
    text, count = re.subn(mutation.pattern, mutation.instead, target.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert count == 1, f"{mutation.file} has changed; find {mutation.removed} again"
    target.write_text(text, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", mutation.test, "-q", "--postgres", NEWEST, "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(tmp_path / folder) for folder in COMPONENTS)},
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip

    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-2000:]
    assert re.search(r"\b\d+ failed", done.stdout), done.stdout[-2000:]
