"""A fleet that looks alive, the same every time: queues, kinds, servers, schedules, failures, months of figures."""

from __future__ import annotations

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database.statements import Statements
from riverrun.store import audit
from riverrun.store.audit import Change

_SERVERS = """
INSERT INTO riverrun_server (server_id, host, pid, version, roles, started_at, heartbeat_at)
SELECT
    'worker-' || n, 'worker-' || n || '.example.net', 4000 + n, '0.1.0', '{executor,scheduler,admin}',
    now() - n * interval '7 hours', now() - CASE WHEN n = 3 THEN interval '14 minutes' ELSE interval '0.4 seconds' END
FROM generate_series(1, 3) AS n;

UPDATE riverrun_leader
SET generation = 7, server_id = 'worker-1', backend_pid = 1, elected_at = now() - interval '7 hours',
    heartbeat_at = now() + interval '1 day';

INSERT INTO riverrun_executor (incarnation, server_id, queue, slots, pid, started_at, lease_until)
SELECT
    'worker-' || n || '_' || 4000 + n || '_' || left(md5(n || queue), 8), 'worker-' || n, queue, slots,
    4100 + 10 * n + slots % 10, now() - n * interval '7 hours', now() + interval '1 day'
FROM generate_series(1, 2) AS n, (VALUES ('email', 40), ('images', 16), ('reports', 5), ('default', 20)) AS q (queue, slots);

INSERT INTO river_queue (name, paused_at)
VALUES ('default', NULL), ('email', NULL), ('images', NULL), ('reports', now() - interval '23 minutes'), ('webhooks', NULL);

INSERT INTO riverrun_queue_pause (queue, paused_at, reason, actor, resume_at)
SELECT name, paused_at, 'the ledger is being closed', 'shell:anna@ops1', now() + interval '40 minutes'
FROM river_queue
WHERE name = 'reports';

INSERT INTO riverrun_queue_setting (queue, server_id, max_workers)
VALUES ('images', '', 16), ('email', 'worker-2', 40);
"""

_JOBS = """
INSERT INTO river_job (
    kind, args, queue, priority, max_attempts, state, attempt, created_at, scheduled_at, attempted_at, finalized_at,
    attempted_by, errors, tags, metadata
)
SELECT
    kind,
    jsonb_build_object('user_id', 1000 + n * 37 %% 9000, 'template', (ARRAY['welcome', 'invoice', 'digest'])[1 + n %% 3]),
    queue, 1 + n %% 4, 25, state, CASE WHEN state IN ('available', 'scheduled', 'pending') THEN 0 ELSE 1 + n %% 3 END,
    at, CASE state
        WHEN 'scheduled' THEN now() + n %% 600 * interval '1 minute'
        WHEN 'retryable' THEN now() + n %% 90 * interval '20 seconds' ELSE at END,
    CASE WHEN state NOT IN ('available', 'scheduled', 'pending') THEN at + n %% 90 * interval '10 milliseconds' END,
    CASE WHEN state IN ('completed', 'discarded', 'cancelled') THEN at + n %% 700 * interval '10 milliseconds' END,
    CASE WHEN state NOT IN ('available', 'scheduled', 'pending') THEN ARRAY[(
        SELECT incarnation FROM riverrun_executor AS e WHERE e.queue = made.queue ORDER BY incarnation OFFSET n %% 2 LIMIT 1
    )] END,
    CASE WHEN state IN ('discarded', 'retryable') THEN ARRAY[jsonb_build_object(
        'at', to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'attempt', 1 + n %% 3, 'error', CASE n %% 4
            WHEN 0 THEN 'TimeoutError: the mail server did not answer within 30 s'
            WHEN 1 THEN 'ValueError: image ' || n || ' has no pixels'
            WHEN 2 THEN 'HTTP 502 from https://hooks.example.com/orders/' || n
            ELSE 'KeyError: ''customer'''
        END,
        'trace', E'Traceback (most recent call last):\\n  File "app/jobs.py", line 41, in send\\n    deliver(message)\\nTimeoutError'
    )] END,
    CASE WHEN n %% 6 = 0 THEN ARRAY['billing'] ELSE '{}' END, '{}'
FROM (
    SELECT
        n, kind, queue, state::river_job_state, now() - (n * n %% 5000) * interval '1 second' - interval '3 seconds' AS at
    FROM generate_series(1::bigint, %(jobs)s::bigint) AS n,
    LATERAL (SELECT
        (ARRAY['email_send', 'thumbnail', 'monthly_report', 'order_webhook', 'sync_contacts'])[1 + n %% 5] AS kind,
        (ARRAY['email', 'images', 'reports', 'webhooks', 'default'])[1 + n %% 5] AS queue,
        CASE
            WHEN n %% 50 < 30 THEN 'completed' WHEN n %% 50 < 36 THEN 'available' WHEN n %% 50 < 38 THEN 'scheduled'
            WHEN n %% 50 < 40 THEN 'retryable' WHEN n %% 50 < 43 THEN 'discarded' WHEN n %% 50 < 44 THEN 'cancelled'
            WHEN n %% 50 < 45 THEN 'pending' WHEN n %% 200 < 150 OR n %% 5 IN (2, 3) THEN 'completed' ELSE 'running'
        END AS state) AS drawn
) AS made
"""

_FIGURES = """
INSERT INTO {table} (
    {column}, queue, kind, completed, retried, snoozed, discarded, cancelled, interrupted, rescued, run_seconds,
    wait_seconds, run_buckets, wait_buckets
)
SELECT
    at, queue, kind, jobs, jobs / 40 + CASE WHEN at > now() - interval '17 minutes' THEN jobs / 6 ELSE 0 END, jobs / 90,
    jobs / 150, jobs / 200, 0, 0, jobs * 0.3, jobs * 0.05,
    ARRAY[0, jobs / 20, jobs / 10, jobs / 5, jobs / 4, jobs / 5, jobs / 10, jobs / 20, jobs / 50, 0, 0, 0, 0, 0, 0, 0, 0],
    ARRAY[jobs / 3, jobs / 3, jobs / 8, jobs / 10, jobs / 20, jobs / 50, jobs / 90, 0, 0, 0, 0, 0, 0, 0, 0, 0]
FROM generate_series(date_trunc('{unit}', now()) - interval '{span}', date_trunc('{unit}', now()), interval '1 {unit}') AS at,
(VALUES ('email', 'email_send', 420), ('images', 'thumbnail', 160), ('default', 'sync_contacts', 90)) AS k (queue, kind, rate),
LATERAL (SELECT ({factor} * rate * (1.1 + 0.5 * sin(extract(epoch FROM at) / 700.0) + 0.2 * sin(extract(epoch FROM at) / 97.0)))::int
    AS jobs) AS drawn
"""

_DEFINITIONS = """
INSERT INTO riverrun_handler (kind, handler_name, handler_type, endpoint_url, timeout_seconds, retry_count, description, paused_at)
VALUES
    ('email_send', 'email_send', 'local', NULL, 30, 4, 'Sends one message', NULL),
    ('thumbnail', 'thumbnail', 'local', NULL, 120, NULL, '', NULL),
    ('order_webhook', 'OrderWebhook', 'http', 'https://hooks.example.com/orders', 10, 9, 'Tells the shop about orders', NULL),
    ('monthly_report', 'monthly_report', 'local', NULL, 900, 2, '', now() - interval '2 hours'),
    ('invoice_pdf', 'InvoicePdf', 'grpc', 'grpc://pdf.example.net:50051', 60, NULL, 'Draws invoices', NULL);

UPDATE riverrun_handler SET args_schema = '{"type": "object", "required": ["user_id", "template"], "properties": {
    "user_id": {"type": "integer", "minimum": 1, "description": "Who gets it"},
    "template": {"enum": ["welcome", "invoice", "digest"]},
    "subject": {"type": "string", "maxLength": 120},
    "urgent": {"type": "boolean"},
    "headers": {"type": "object", "description": "Further fields of the message"}}}'
WHERE kind = 'email_send';

INSERT INTO riverrun_handler_health (kind, breaker, reason, failed_probes, probe_at, changed_at)
VALUES ('order_webhook', 'open', 'HTTP 503 from https://hooks.example.com/orders', 3, now() + interval '34 seconds',
    now() - interval '6 minutes');

INSERT INTO riverrun_schedule (name, kind, expression, timezone, queue, source, last_tick, paused_at)
VALUES
    ('nightly_report', 'monthly_report', '30 4 * * *', 'Asia/Shanghai', 'reports', 'config', now(), NULL),
    ('sync_contacts', 'sync_contacts', '@every 5m', 'UTC', 'default', 'api', now(), NULL),
    ('weekly_digest', 'email_send', '0 9 * * MON', 'Europe/Berlin', 'email', 'api', now(), now() - interval '3 days');

INSERT INTO riverrun_schedule_tick (schedule, tick, job_id)
SELECT 'sync_contacts', date_trunc('hour', now()) - n * interval '5 minutes', id
FROM (
    SELECT id, row_number() OVER (ORDER BY (id * 7919) % 4001) AS n
    FROM river_job
    WHERE kind = 'sync_contacts' AND state IN ('completed', 'discarded', 'cancelled')
) AS made
WHERE n <= 40;

UPDATE river_job
SET metadata = '{"riverrun:progress": {"fraction": 0.62, "note": "page 31 of 50"}, "river:log": [{"attempt": 1, "log":
"level=INFO msg=\\"rendering\\" page=30\\nlevel=INFO msg=\\"rendering\\" page=31\\n"}]}', tags = '{billing,europe}'
WHERE id = (SELECT min(id) FROM river_job WHERE state = 'running');
"""

_OPERATIONS = """
INSERT INTO riverrun_bulk (
    action, params, filter, wanted, actor, state, first_id, last_id, position, matched, changed, error, created_at,
    updated_at, finished_at
)
VALUES
    ('retry', '{}', 'state:discarded kind:email_send', '{"states": []}', 'token:anna', 'done', 1, 4000, 4000, 412, 409,
        NULL, now() - interval '2 hours', now() - interval '119 minutes', now() - interval '119 minutes'),
    ('move', '{"queue": "images"}', 'queue:default kind:thumbnail', '{"states": []}', 'local', 'aborted', 1, 4000, 1900,
        87, 87, NULL, now() - interval '50 minutes', now() - interval '49 minutes', now() - interval '49 minutes'),
    ('snooze', '{"delay_s": 3600}', 'kind:nothing_yet', '{"states": [], "kinds": ["nothing_yet"]}', 'shell:ben@ops2',
        'running', 1, 1000000000000000, 620000000000000, 0, 0, NULL, now() - interval '4 minutes', now(), NULL);

INSERT INTO riverrun_token (id, sha256, name, role, queues, created_by, created_at, expires_at, last_used_at, revoked_at)
VALUES
    ('deploy2k4m7p', sha256('deploy'), 'deployment', 'admin', '{}', 'shell:anna@ops1', now() - interval '60 days', NULL,
        now() - interval '3 minutes', NULL),
    ('shopq8r5t2w9', sha256('shop'), 'shop', 'enqueue', '{email,webhooks}', 'token:deployment', now() - interval '20 days',
        now() + interval '70 days', now() - interval '2 seconds', NULL),
    ('oncallv3x6z8', sha256('oncall'), 'on call', 'operate', '{}', 'token:deployment', now() - interval '90 days',
        now() - interval '1 day', now() - interval '9 days', NULL);
"""

_CHANGES = (
    Change("shell:anna@ops1", "queue.pause", "queue:reports", {"after": {"reason": "the ledger is being closed"}}),
    Change(
        "token:deployment",
        "handler.update",
        "handler:order_webhook",
        {"role": "admin", "address": "10.4.0.17", "before": {"timeout": 30}, "after": {"timeout": 10}},
    ),
    Change(
        "token:anna", "queue.bulk", "bulk:1", {"role": "operate", "address": "10.4.0.9", "after": {"action": "retry"}}
    ),
)


async def fill(conn: AsyncConnection[TupleRow], *, jobs: int = 4_000) -> None:
    """Put the fleet into an empty database."""
    await conn.execute(_SERVERS.encode())
    await conn.execute(_JOBS.encode(), {"jobs": jobs})
    for table, column, unit, span, factor in (
        ("riverrun_minute", "minute", "minute", "8 hours", 1),
        ("riverrun_hour", "hour", "hour", "89 days", 60),
    ):
        text = _FIGURES.format(table=table, column=column, unit=unit, span=span, factor=factor)
        await conn.execute(text.encode())
    # Minutes stand for the hours that they make up, and are not counted twice.
    await conn.execute(b"DELETE FROM riverrun_hour WHERE hour >= (SELECT min(minute) FROM riverrun_minute)")
    await conn.execute(_DEFINITIONS.encode())
    await conn.execute(_OPERATIONS.encode())
    for change in _CHANGES:
        await Statements().run(conn, audit.add(change))
    await conn.execute(b"ANALYZE")
