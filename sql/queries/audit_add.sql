-- audit_add.sql
-- Add an entry to the end of the chain.
--   in:    actor, action, target · details, a JSON object with everything that is kept, those three included
--   out:   number
--   locks: the head until the end of the transaction, so that entries are chained in the order of their commits
--   index: riverrun_audit_pkey
-- The update sees the head that the entry before has left, also when it had to wait for it.
WITH moment AS MATERIALIZED (
    SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS text
),
chained AS (
    UPDATE riverrun_audit_head AS head
    SET number = head.number + 1,
        hash = sha256(
            head.hash || convert_to(
                (%(details)s::jsonb || jsonb_build_object('number', head.number + 1, 'at', moment.text))::text, 'UTF8'
            )
        )
    FROM moment
    RETURNING head.number, head.hash
)
INSERT INTO riverrun_audit (number, at, actor, action, target, entry, hash)
SELECT
    chained.number, now(), %(actor)s::text, %(action)s::text, %(target)s::text,
    (%(details)s::jsonb || jsonb_build_object('number', chained.number, 'at', moment.text))::text, chained.hash
FROM chained
CROSS JOIN moment
RETURNING number
