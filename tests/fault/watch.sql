-- What the judge wants to know of river_job and riverrun_leader, written down in the same transaction as the change
-- itself. It lies in a schema of its own and belongs to the tests alone.
CREATE SCHEMA fault;

CREATE TABLE fault.change (
    seq bigserial PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    txid bigint NOT NULL DEFAULT txid_current(),
    backend int NOT NULL DEFAULT pg_backend_pid(),
    application text NOT NULL DEFAULT current_setting('application_name'),
    generation bigint,
    job_id bigint NOT NULL,
    kind text,
    queue text,
    key text,
    schedule text,
    tick text,
    unique_key text,
    old_state text,
    new_state text,
    old_attempt int,
    new_attempt int,
    old_attempted_us bigint,
    new_attempted_us bigint,
    old_executor text,
    new_executor text,
    finalized boolean,
    errors int,
    cancelling boolean
);

CREATE TABLE fault.term (
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    generation bigint NOT NULL,
    backend int,
    server_id text
);

CREATE FUNCTION fault.us(at timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE
RETURN (extract(epoch FROM at) * 1000000)::bigint;

CREATE FUNCTION fault.note_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    present public.river_job := coalesce(new, old);
BEGIN
    IF tg_op = 'UPDATE' AND (old.state, old.attempt, old.attempted_at, old.finalized_at)
        IS NOT DISTINCT FROM (new.state, new.attempt, new.attempted_at, new.finalized_at) THEN
        RETURN NULL;
    END IF;
    INSERT INTO fault.change (
        generation, job_id, kind, queue, key, schedule, tick, unique_key, old_state, new_state, old_attempt,
        new_attempt, old_attempted_us, new_attempted_us, old_executor, new_executor, finalized, errors, cancelling
    ) VALUES (
        (SELECT leader.generation FROM public.riverrun_leader AS leader), present.id, present.kind, present.queue,
        present.args ->> 'key', present.metadata ->> 'riverrun:schedule', present.metadata ->> 'riverrun:tick',
        CASE WHEN public.river_job_state_in_bitmask(present.unique_states, present.state)
            THEN encode(present.unique_key, 'hex') END,
        old.state, new.state, old.attempt, new.attempt, fault.us(old.attempted_at), fault.us(new.attempted_at),
        old.attempted_by[cardinality(old.attempted_by)], new.attempted_by[cardinality(new.attempted_by)],
        present.finalized_at IS NOT NULL, cardinality(present.errors), present.metadata ? 'cancel_attempted_at'
    );
    RETURN NULL;
END
$$;

CREATE TRIGGER fault_note_change AFTER INSERT OR UPDATE OR DELETE ON river_job
FOR EACH ROW EXECUTE FUNCTION fault.note_change();

CREATE FUNCTION fault.note_term() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fault.term (generation, backend, server_id) VALUES (new.generation, new.backend_pid, new.server_id);
    RETURN NULL;
END
$$;

CREATE TRIGGER fault_note_term AFTER UPDATE ON riverrun_leader
FOR EACH ROW WHEN (old.generation IS DISTINCT FROM new.generation) EXECUTE FUNCTION fault.note_term();
