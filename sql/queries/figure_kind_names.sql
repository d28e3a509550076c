-- figure_kind_names.sql
-- Name the kinds of which attempts have ended in some queues since a moment.
--   in:    since · queues
--   out:   kind, in no promised order
--   index: riverrun_hour_pkey, riverrun_minute_pkey; of minutes only those that no hour stands for yet
SELECT kind
FROM riverrun_hour
WHERE hour >= %(since)s::timestamptz AND queue = ANY (%(queues)s::text[])
UNION
SELECT kind
FROM riverrun_minute
WHERE minute >= greatest(%(since)s::timestamptz, (SELECT max(hour) + interval '1 hour' FROM riverrun_hour))
    AND queue = ANY (%(queues)s::text[])
