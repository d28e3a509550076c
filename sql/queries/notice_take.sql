-- notice_take.sql
-- Take it upon this leader to tell about subjects, unless that was done lately.
--   in:    generation, the leader's term · rule, subjects · quiet, seconds
--   out:   the subjects to tell about
--   index: riverrun_notice_pkey
INSERT INTO riverrun_notice AS notice (rule, subject)
SELECT %(rule)s::text, subject
FROM unnest(%(subjects)s::text[]) AS told (subject)
WHERE EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
ORDER BY subject
ON CONFLICT (rule, subject) DO UPDATE
SET sent_at = now()
WHERE notice.sent_at < now() - make_interval(secs => %(quiet)s::float8)
RETURNING subject
