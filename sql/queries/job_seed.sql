-- job_seed.sql
-- Insert realistic jobs in every state, by the hundred thousand, the same ones for the same seed.
--   in:    queue · prefix of the kinds · start, number of the first · jobs, how many · total, of which the last was
--          enqueued now and the first a week ago · seed
--   out:   nothing
--   locks: new rows only
-- Of a hundred jobs about 83 are completed, 10 available, 3 discarded, 2 cancelled; the rest are in the other states.
WITH numbered AS (
    SELECT
        n,
        (hashint8extended(n, %(seed)s::bigint) & 1048575) / 1048576.0 AS dice,
        (hashint8extended(n, %(seed)s::bigint + 1) & 1048575) / 1048576.0 AS other,
        now() - (%(total)s::bigint - n) * (interval '7 days' / %(total)s::bigint) AS created_at
    FROM generate_series(%(start)s::bigint, %(start)s::bigint + %(jobs)s::bigint - 1) AS series (n)
),
stated AS (
    SELECT
        n,
        other,
        created_at,
        CASE
            WHEN dice < 0.83 THEN 'completed'
            WHEN dice < 0.86 THEN 'discarded'
            WHEN dice < 0.88 THEN 'cancelled'
            WHEN dice < 0.98 THEN 'available'
            WHEN dice < 0.99 THEN 'scheduled'
            WHEN dice < 0.995 THEN 'retryable'
            WHEN dice < 0.998 THEN 'pending'
            ELSE 'running'
        END AS state
    FROM numbered
)
INSERT INTO river_job (
    state, attempt, max_attempts, created_at, scheduled_at, attempted_at, attempted_by, finalized_at, errors, kind,
    args, metadata, queue, priority, tags
)
SELECT
    state::river_job_state,
    CASE WHEN state IN ('available', 'scheduled', 'pending') THEN 0 WHEN state = 'discarded' THEN 3 ELSE 1 END,
    CASE WHEN state = 'discarded' THEN 3 ELSE 25 END,
    created_at,
    CASE WHEN state IN ('scheduled', 'retryable') THEN now() + other * interval '1 day' ELSE created_at END,
    CASE WHEN state NOT IN ('available', 'scheduled', 'pending') THEN created_at + other * interval '1 second' END,
    CASE WHEN state NOT IN ('available', 'scheduled', 'pending') THEN ARRAY['seed:000000000000'] END,
    CASE WHEN state IN ('completed', 'discarded', 'cancelled') THEN created_at + other * interval '3 seconds' END,
    CASE
        WHEN state IN ('discarded', 'retryable') THEN ARRAY[jsonb_build_object(
            'at', created_at, 'attempt', 1, 'error', 'TimeoutError: the mail server did not answer', 'trace', ''
        )]
    END,
    %(prefix)s::text || (ARRAY['_email', '_image', '_report', '_invoice'])[1 + n %% 4],
    jsonb_build_object(
        'to', 'user' || n || '@example.com', 'subject', 'Order ' || n %% 9973, 'amount', round(other * 1000, 2)
    ),
    jsonb_build_object('request_id', md5(n::text)),
    %(queue)s::text,
    1 + (n %% 4)::smallint,
    CASE WHEN n %% 5 = 0 THEN ARRAY['billing', 'europe'] ELSE '{}' END
FROM stated
