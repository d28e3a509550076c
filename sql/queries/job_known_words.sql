-- job_known_words.sql
-- Name the kinds and tags of the newest jobs, to be suggested to who looks for some.
--   in:    newest, how many jobs are looked at, whatever their queue · queues, NULL: any · most, how many of each
--   out:   kinds · tags, in their order
--   index: river_job_pkey; newest bounds what is read
WITH looked_at AS MATERIALIZED (
    SELECT queue, kind, tags
    FROM river_job
    ORDER BY id DESC
    LIMIT %(newest)s::int
),
theirs AS MATERIALIZED (
    SELECT kind, tags
    FROM looked_at
    WHERE %(queues)s::text[] IS NULL OR queue = ANY (%(queues)s::text[])
)
SELECT
    ARRAY(SELECT DISTINCT kind FROM theirs ORDER BY kind LIMIT %(most)s::int) AS kinds,
    ARRAY(SELECT DISTINCT tag FROM theirs, unnest(theirs.tags) AS tag ORDER BY tag LIMIT %(most)s::int) AS tags
