"""A client looks after jobs and queues that are there: finds, cancels, retries, deletes, pauses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from riverrun import AsyncClient, Client, JobState, Unique
from riverrun.errors import InvalidInput, JobFinalized, JobRunning, NotFound, UniqueConflict
from support.queries import Table, rows


def set_state(table: Table, job_id: int, state: str) -> None:
    finalized = "now()" if state in {"completed", "cancelled", "discarded"} else "NULL"
    table.execute(
        f"UPDATE river_job SET state = %s::river_job_state, finalized_at = {finalized} WHERE id = %s".encode(),
        [state, job_id],
    )


@pytest.mark.parametrize("job_id", [0, -1, 2**63, 2**70, "x", 1.5, True, None])
def test_an_id_that_cannot_be_one_is_refused(client: Client, job_id: Any) -> None:
    for method in (client.get, client.cancel, client.retry, client.delete):
        with pytest.raises(InvalidInput, match=r"^job_id: .* expected a whole number from 1 to 9223372036854775807"):
            method(job_id)


def test_an_id_that_does_not_exist_is_told(client: Client) -> None:
    for method in (client.get, client.cancel, client.retry, client.delete):
        with pytest.raises(NotFound, match="job 9223372036854775807 does not exist"):
            method(2**63 - 1)


def test_a_waiting_job_is_cancelled_retried_and_deleted(client: Client) -> None:
    job = client.enqueue("email", {}).job

    assert client.cancel(job.id).state == JobState.CANCELLED
    assert client.cancel(job.id).state_before == JobState.CANCELLED
    assert client.retry(job.id).state == JobState.AVAILABLE
    client.delete(job.id)
    with pytest.raises(NotFound):
        client.get(job.id)


async def test_a_running_job_is_asked_to_stop_and_otherwise_left_alone(async_client: AsyncClient, table: Table) -> None:
    job = (await async_client.enqueue("email", {})).job
    set_state(table, job.id, "running")

    assert (await async_client.cancel(job.id)).state == JobState.RUNNING
    with pytest.raises(JobRunning):
        await async_client.retry(job.id)
    with pytest.raises(JobRunning):
        await async_client.delete(job.id)
    assert "cancel_attempted_at" in rows(table)[0]["metadata"]


def test_a_finalized_job_cannot_be_cancelled(client: Client, table: Table) -> None:
    job = client.enqueue("email", {}).job
    set_state(table, job.id, "completed")

    with pytest.raises(JobFinalized, match=f"job {job.id} is already completed"):
        client.cancel(job.id)


async def test_a_retry_against_the_key_of_another_job_is_a_conflict(
    client: Client, async_client: AsyncClient, table: Table
) -> None:
    old = client.enqueue("email", {}, unique=Unique(by_args=True)).job
    client.cancel(old.id)
    client.enqueue("email", {}, unique=Unique(by_args=True))

    with pytest.raises(UniqueConflict):
        client.retry(old.id)
    with pytest.raises(UniqueConflict):
        await async_client.retry(old.id)
    assert rows(table)[0]["state"] == "cancelled"


def test_jobs_are_listed_by_what_they_are_and_page_by_page(client: Client) -> None:
    client.enqueue_many(
        [{"kind": f"kind{n % 2}", "args": {"n": n}, "queue": "mail", "priority": 1 + n % 3} for n in range(9)]
    )
    client.enqueue("kind1", {}, queue="other", delay=60)

    first = client.list(queue="mail", kind=["kind1"], limit=3)
    second = client.list(queue="mail", kind=["kind1"], limit=3, cursor=first.next_cursor)

    assert sorted(job.args["n"] for job in [*first.jobs, *second.jobs]) == [1, 3, 5, 7]
    assert second.next_cursor is None
    assert [job.queue for job in client.list(state="scheduled").jobs] == ["other"]


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"state": "done"}, "state"),
        ({"queue": ["mail", ""]}, "queue"),
        ({"priority": 11}, "priority"),
        ({"created_after": datetime(2030, 1, 1)}, "created_after"),  # noqa: DTZ001 - that is the mistake
        ({"limit": 0}, "limit"),
        ({"limit": "5"}, "limit"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"sate": "available"}, "sate"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(client: Client, filters: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        client.list(**filters)

    assert refused.value.field == field


def test_queues_are_paused_and_resumed_by_name(client: Client, table: Table) -> None:
    table.execute("INSERT INTO river_queue (name, created_at, updated_at) VALUES ('mail', now(), now())")

    client.pause_queue("mail")
    paused = table.execute("SELECT paused_at IS NOT NULL AS paused FROM river_queue").fetchone()
    client.resume_queue("*")
    resumed = table.execute("SELECT paused_at IS NOT NULL AS paused FROM river_queue").fetchone()

    assert (paused, resumed) == ({"paused": True}, {"paused": False})
    with pytest.raises(NotFound, match="queue nobody does not exist"):
        client.pause_queue("nobody")
    with pytest.raises(InvalidInput, match=r"^queue: "):
        client.pause_queue("No Body")
