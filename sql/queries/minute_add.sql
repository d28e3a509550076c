-- minute_add.sql
-- Add figures of finished attempts to those of the present minute.
--   in:    parallel arrays, one element a (queue, kind), sorted by both: queues, kinds, the counts by outcome,
--          run_seconds, wait_seconds, and run_buckets and wait_buckets as array literals
--   locks: the minute's rows, in the order of the arrays
--   index: riverrun_minute_pkey
INSERT INTO riverrun_minute AS total (
    minute, queue, kind, completed, retried, snoozed, discarded, cancelled, interrupted, rescued, run_seconds,
    wait_seconds, run_buckets, wait_buckets
)
SELECT
    date_trunc('minute', now()), queue, kind, completed, retried, snoozed, discarded, cancelled, interrupted, rescued,
    run_seconds, wait_seconds, run_buckets::int[], wait_buckets::int[]
FROM unnest(
    %(queues)s::text[],
    %(kinds)s::text[],
    %(completed)s::int[],
    %(retried)s::int[],
    %(snoozed)s::int[],
    %(discarded)s::int[],
    %(cancelled)s::int[],
    %(interrupted)s::int[],
    %(rescued)s::int[],
    %(run_seconds)s::float8[],
    %(wait_seconds)s::float8[],
    %(run_buckets)s::text[],
    %(wait_buckets)s::text[]
) AS added (
    queue, kind, completed, retried, snoozed, discarded, cancelled, interrupted, rescued, run_seconds, wait_seconds,
    run_buckets, wait_buckets
)
ON CONFLICT (minute, queue, kind) DO UPDATE
SET completed = total.completed + excluded.completed,
    retried = total.retried + excluded.retried,
    snoozed = total.snoozed + excluded.snoozed,
    discarded = total.discarded + excluded.discarded,
    cancelled = total.cancelled + excluded.cancelled,
    interrupted = total.interrupted + excluded.interrupted,
    rescued = total.rescued + excluded.rescued,
    run_seconds = total.run_seconds + excluded.run_seconds,
    wait_seconds = total.wait_seconds + excluded.wait_seconds,
    run_buckets = ARRAY(
        SELECT a + b FROM unnest(total.run_buckets, excluded.run_buckets) WITH ORDINALITY AS pair (a, b, n) ORDER BY n
    ),
    wait_buckets = ARRAY(
        SELECT a + b FROM unnest(total.wait_buckets, excluded.wait_buckets) WITH ORDINALITY AS pair (a, b, n) ORDER BY n
    )
