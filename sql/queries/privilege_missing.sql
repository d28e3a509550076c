-- privilege_missing.sql
-- Name what this role would need to be granted.
--   in:    parallel arrays relations and privileges, comma separated · each relation must be a table or a sequence
--   out:   relation and those of its privileges that the role does not have; relations that are not there are left out
--   locks: none
--   index: the catalogue's own
SELECT needed.relation, string_agg(wanted.privilege, ', ' ORDER BY wanted.privilege) AS missing
FROM unnest(%(relations)s::text[], %(privileges)s::text[]) AS needed (relation, privileges)
CROSS JOIN LATERAL unnest(string_to_array(needed.privileges, ',')) AS wanted (privilege)
INNER JOIN pg_class AS found
    ON found.relname = needed.relation
    AND found.relnamespace = to_regnamespace(quote_ident(coalesce(%(schema)s::text, current_schema())))
WHERE NOT CASE
    WHEN found.relkind = 'S' THEN has_sequence_privilege(found.oid, wanted.privilege)
    ELSE has_table_privilege(found.oid, wanted.privilege)
END
GROUP BY needed.relation
ORDER BY needed.relation
