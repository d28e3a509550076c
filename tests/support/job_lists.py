"""Jobs in every state for tests of lists, and the sets of states that lists are asked for."""

from __future__ import annotations

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.job import JobState

STATE_SETS: list[tuple[str, ...]] = [
    (),
    ("completed",),
    ("completed", "discarded", "cancelled"),
    ("scheduled",),
    ("retryable", "scheduled"),
    ("available",),
    ("pending",),
    ("running",),
    ("running", "available"),
]

# Ends with equal keys in every order, so that only the id tells jobs apart.
_FILL = """
INSERT INTO river_job (
    kind, args, queue, priority, max_attempts, state, scheduled_at, finalized_at, attempted_at, attempt, tags
)
SELECT
    'kind' || i %% 20, '{}', CASE WHEN i %% 3 = 0 THEN 'default' ELSE 'mail' END, 1 + i %% 9, 25, state,
    now() + (i * 7919 %% 1000 - 500) * interval '1 minute',
    CASE WHEN state IN ('completed', 'cancelled', 'discarded') THEN now() - (i * 31 %% 700) * interval '1 second' END,
    CASE WHEN state = 'running' THEN now() - (i %% 7) * interval '1 second' END,
    1, ARRAY['tag' || i %% 50]
FROM (
    SELECT i, (
        CASE
            WHEN i %% 100 < 60 THEN 'completed' WHEN i %% 100 < 65 THEN 'discarded' WHEN i %% 100 < 66 THEN 'cancelled'
            WHEN i %% 100 < 90 THEN 'available' WHEN i %% 100 < 93 THEN 'scheduled' WHEN i %% 100 < 97 THEN 'retryable'
            WHEN i %% 100 < 98 THEN 'pending' ELSE 'running'
        END
    )::river_job_state AS state
    FROM generate_series(1::bigint, %(jobs)s) AS i
) AS made
"""


def states_of(names: tuple[str, ...]) -> tuple[JobState, ...]:
    """Return the states of these names."""
    return tuple(JobState(name) for name in names)


async def fill(conn: AsyncConnection[TupleRow], jobs: int) -> None:
    """Make jobs in every state, look through them, and plan for the values that are asked for, as the pages do."""
    await conn.execute(_FILL, {"jobs": jobs})
    await conn.execute("VACUUM ANALYZE river_job")
    await conn.execute("SET plan_cache_mode = force_custom_plan")
