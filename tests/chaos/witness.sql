-- A witness in each service's database: whatever is committed, it sees, and writes down what may never be.
-- Counters are sequences, so that counting neither locks nor waits.
CREATE SCHEMA witness;
CREATE TABLE witness.violation (
    invariant int NOT NULL, detail text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE SEQUENCE witness.checked_5;
CREATE SEQUENCE witness.checked_6;
CREATE SEQUENCE witness.checked_7;
CREATE SEQUENCE witness.checked_8;
CREATE SEQUENCE witness.take_overs;

-- 7: what is written for an actor is written by the backend that took it, at the epoch that stands.
CREATE FUNCTION witness.by_its_holder(a_kind text, a_number int, what text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE holder int;
BEGIN
    PERFORM nextval('witness.checked_7');
    SELECT backend_pid INTO holder FROM public.actor WHERE kind = a_kind AND number = a_number;
    IF holder IS DISTINCT FROM pg_backend_pid() THEN
        INSERT INTO witness.violation VALUES (7, format('%s of %s/%s written by %s, held by %s',
            what, a_kind, a_number, pg_backend_pid(), coalesce(holder, 0)));
    END IF;
END $$;

CREATE FUNCTION witness.on_cursor() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM nextval('witness.checked_5');
    IF TG_OP = 'UPDATE' AND NEW.next_offset < OLD.next_offset THEN
        INSERT INTO witness.violation VALUES (5, format('cursor of %s/%s on %s/%s from %s to %s',
            NEW.kind, NEW.number, NEW.topic, NEW.partition, OLD.next_offset, NEW.next_offset));
    END IF;
    PERFORM witness.by_its_holder(NEW.kind, NEW.number, 'cursor');
    RETURN NULL;
END $$;
CREATE TRIGGER witness AFTER INSERT OR UPDATE ON cursor_in FOR EACH ROW EXECUTE FUNCTION witness.on_cursor();

CREATE FUNCTION witness.on_mark() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM nextval('witness.checked_5');
    IF (NEW.incarnation, NEW.last_seq) < (OLD.incarnation, OLD.last_seq) THEN
        INSERT INTO witness.violation VALUES (5, format('mark of %s/%s for %s from %s to %s',
            NEW.kind, NEW.number, NEW.source, OLD.last_seq, NEW.last_seq));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER witness AFTER UPDATE ON source_mark FOR EACH ROW EXECUTE FUNCTION witness.on_mark();

CREATE FUNCTION witness.on_lane() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM nextval('witness.checked_8');
    IF NEW.out_seq < OLD.out_seq OR NEW.acked_seq < OLD.acked_seq OR NEW.acked_seq > NEW.out_seq THEN
        INSERT INTO witness.violation VALUES (8, format('lane %s/%s of %s/%s from %s (%s) to %s (%s)', NEW.topic,
            NEW.partition, NEW.kind, NEW.number, OLD.out_seq, OLD.acked_seq, NEW.out_seq, NEW.acked_seq));
    END IF;
    PERFORM witness.by_its_holder(NEW.kind, NEW.number, 'lane');
    RETURN NULL;
END $$;
CREATE TRIGGER witness AFTER UPDATE ON lane_out FOR EACH ROW EXECUTE FUNCTION witness.on_lane();

CREATE FUNCTION witness.on_actor() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF NEW.owner IS DISTINCT FROM OLD.owner OR NEW.epoch <> OLD.epoch THEN
        PERFORM nextval('witness.checked_6');
        IF NEW.owner IS NOT NULL AND NEW.epoch <= OLD.epoch THEN
            INSERT INTO witness.violation VALUES (6, format('epoch of %s/%s from %s to %s',
                NEW.kind, NEW.number, OLD.epoch, NEW.epoch));
        END IF;
        IF NEW.owner <> OLD.owner THEN
            PERFORM nextval('witness.take_overs');
        END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER witness AFTER UPDATE ON actor FOR EACH ROW EXECUTE FUNCTION witness.on_actor();
