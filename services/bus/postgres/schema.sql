-- What the bus keeps in Postgres, in the schema `antiphon`. The bus makes it itself when it is missing and it may; else
-- whoever may runs this file, as often as they like: `psql -f schema.sql`. Another schema: replace `antiphon.` everywhere.
--
-- Positions are (epoch, offset): inside an epoch offsets grow by one. A channel that is new, was forgotten or stands below
-- what was seen of it goes on above every offset that it ever had, at the time in µs, under a new epoch.

CREATE SCHEMA IF NOT EXISTS antiphon;

-- One row per channel. Whoever publishes holds it until the end of the transaction, so offsets become visible in order.
CREATE TABLE IF NOT EXISTS antiphon.bus_channels (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  namespace text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  epoch text COLLATE "C" NOT NULL,
  first_offset bigint NOT NULL, -- of the epoch
  last_offset bigint NOT NULL,
  kept_from bigint NOT NULL,    -- what lies below is gone for readers
  trimmed_to bigint NOT NULL,   -- what lies below is deleted
  ends_at timestamptz NOT NULL,
  UNIQUE (namespace, name)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

CREATE TABLE IF NOT EXISTS antiphon.bus_messages (
  channel_id bigint NOT NULL,
  message_offset bigint NOT NULL,
  payload bytea NOT NULL,
  PRIMARY KEY (channel_id, message_offset)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

-- The last call of each process: repeated, because its answer was lost, it is written once.
CREATE TABLE IF NOT EXISTS antiphon.bus_publishers (
  namespace text COLLATE "C" NOT NULL,
  publisher text COLLATE "C" NOT NULL,
  number bigint NOT NULL,
  starts bigint[] NOT NULL,
  epochs text[] NOT NULL,
  told_at timestamptz NOT NULL,
  PRIMARY KEY (namespace, publisher)
) WITH (fillfactor = 50);

-- Above every offset of channels whose row was deleted.
CREATE TABLE IF NOT EXISTS antiphon.bus_floors (
  namespace text COLLATE "C" PRIMARY KEY,
  floor_offset bigint NOT NULL
);

CREATE OR REPLACE FUNCTION antiphon.bus_now_us() RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
$$;

-- Deletes at most `p_most` messages of a channel from `p_from` on and below `p_to`. Says from where on there may be more.
CREATE OR REPLACE FUNCTION antiphon.bus_trim_1(p_channel bigint, p_from bigint, p_to bigint, p_most int, OUT gone int, OUT trimmed_to bigint)
LANGUAGE plpgsql AS $$
BEGIN
  WITH deleted AS (
    DELETE FROM antiphon.bus_messages m WHERE m.channel_id = p_channel AND m.message_offset IN (
      SELECT o.message_offset FROM antiphon.bus_messages o
      WHERE o.channel_id = p_channel AND o.message_offset >= p_from AND o.message_offset < p_to
      ORDER BY o.message_offset LIMIT p_most)
    RETURNING m.message_offset)
  SELECT count(*), max(d.message_offset) + 1 INTO gone, trimmed_to FROM deleted d;
  IF gone < p_most THEN trimmed_to := p_to; END IF;
END $$;

-- One call: messages of several channels, in order. Arrays with an element per channel: `p_names`, `p_bells`, `p_counts`
-- (messages in this call), `p_kept` (messages that it keeps), `p_ages` (ms), `p_seen` (highest offset known, -1: begin at 1).
-- With `p_with_index` the first channel is the index of all messages. Arrays with an element per message: `p_channels`
-- (number of its channel, from 1), `p_places` (its place among those of its channel, from 0), `p_lengths` (bytes of it in
-- `p_payloads`). Answers the first offset and the epoch of each channel.
CREATE OR REPLACE FUNCTION antiphon.bus_publish_1(
  p_namespace text, p_publisher text, p_number bigint, p_epoch text,
  p_names text[], p_bells text[], p_counts int[], p_kept int[], p_ages bigint[], p_seen bigint[], p_with_index boolean,
  p_channels int[], p_places int[], p_lengths int[], p_payloads bytea,
  OUT starts bigint[], OUT epochs text[])
LANGUAGE plpgsql AS $$
DECLARE
  known record;
  one record;
  channel antiphon.bus_channels;
  trimmed record;
  written record;
  ids bigint[] := array_fill(0::bigint, ARRAY[cardinality(p_names)]);
  is_over boolean;
  base bigint;
  beyond bigint;
  trim_to bigint;
  nr int;
  head text;
BEGIN
  LOOP
    SELECT p.number, p.starts, p.epochs INTO known
      FROM antiphon.bus_publishers p WHERE p.namespace = p_namespace AND p.publisher = p_publisher FOR UPDATE;
    EXIT WHEN FOUND;
    INSERT INTO antiphon.bus_publishers VALUES (p_namespace, p_publisher, 0, '{}', '{}', now()) ON CONFLICT DO NOTHING;
  END LOOP;
  IF known.number = p_number THEN
    starts := known.starts;
    epochs := known.epochs;
    RETURN;
  END IF;
  IF known.number > p_number THEN RAISE EXCEPTION 'call % comes after %', p_number, known.number USING ERRCODE = '40001'; END IF;

  starts := array_fill(0::bigint, ARRAY[cardinality(p_names)]);
  epochs := array_fill(''::text, ARRAY[cardinality(p_names)]);
  -- All take their rows in the same order, so nobody waits for each other in a circle.
  FOR one IN
    SELECT c.* FROM unnest(p_names, p_counts, p_kept, p_ages, p_seen) WITH ORDINALITY AS c(name, count, kept, age, seen, nr)
    ORDER BY p_with_index AND c.nr = 1 DESC, c.name COLLATE "C"
  LOOP
    LOOP
      SELECT c.* INTO channel FROM antiphon.bus_channels c
        WHERE c.namespace = p_namespace AND c.name = one.name FOR UPDATE;
      EXIT WHEN FOUND;
      INSERT INTO antiphon.bus_channels (namespace, name, epoch, first_offset, last_offset, kept_from, trimmed_to, ends_at)
        VALUES (p_namespace, one.name, '', 0, 0, 0, 0, '-infinity') ON CONFLICT DO NOTHING;
    END LOOP;
    is_over := channel.ends_at <= clock_timestamp();
    base := channel.last_offset;
    IF is_over OR base < one.seen THEN
      IF one.seen >= 0 THEN
        base := greatest(base, one.seen, antiphon.bus_now_us(),
          (SELECT f.floor_offset FROM antiphon.bus_floors f WHERE f.namespace = p_namespace));
      END IF;
      channel.epoch := p_epoch;
      channel.first_offset := base + 1;
      IF is_over THEN channel.kept_from := base + 1; END IF;
    END IF;
    channel.last_offset := base + one.count;

    -- What it keeps is counted: between epochs offsets jump.
    IF channel.last_offset - one.kept + 1 > channel.first_offset THEN
      channel.kept_from := greatest(channel.kept_from, channel.last_offset - one.kept + 1);
    ELSIF channel.kept_from < channel.first_offset THEN
      SELECT m.message_offset INTO beyond FROM antiphon.bus_messages m
        WHERE m.channel_id = channel.id AND m.message_offset >= channel.kept_from AND m.message_offset < channel.first_offset
        ORDER BY m.message_offset DESC OFFSET one.kept - (channel.last_offset - channel.first_offset + 1) LIMIT 1;
      IF FOUND THEN channel.kept_from := beyond + 1; END IF;
    END IF;
    -- Now and then, and never much; the sweep does the rest. What this call writes is not there yet.
    trim_to := least(channel.kept_from, base + 1);
    IF trim_to - channel.trimmed_to >= least(one.kept, 64) THEN
      SELECT * INTO trimmed FROM antiphon.bus_trim_1(channel.id, channel.trimmed_to, trim_to, 500);
      channel.trimmed_to := trimmed.trimmed_to;
    END IF;

    UPDATE antiphon.bus_channels c SET
      epoch = channel.epoch, first_offset = channel.first_offset, last_offset = channel.last_offset,
      kept_from = channel.kept_from, trimmed_to = channel.trimmed_to,
      ends_at = clock_timestamp() + one.age * interval '1 millisecond'
      WHERE c.id = channel.id;
    ids[one.nr] := channel.id;
    starts[one.nr] := base + 1;
    epochs[one.nr] := channel.epoch;
  END LOOP;

  FOR written IN
    WITH told AS (
      SELECT m.channel AS nr, starts[m.channel] + m.place AS message_offset, starts[1] + m.nr - 1 AS global_offset,
        substr(p_payloads, (sum(m.length) OVER (ORDER BY m.nr) - m.length)::int + 1, m.length) AS payload
      FROM unnest(p_channels, p_places, p_lengths) WITH ORDINALITY AS m(channel, place, length, nr))
    INSERT INTO antiphon.bus_messages (channel_id, message_offset, payload)
      SELECT ids[t.nr], t.message_offset,
        CASE WHEN p_with_index THEN '\x03'::bytea || convert_to(t.global_offset || E'\n', 'UTF8') ELSE '' END || t.payload
      FROM told t
      UNION ALL
      SELECT ids[1], t.global_offset,
        '\x02'::bytea || convert_to(t.message_offset || ' ' || p_names[t.nr] || E'\n', 'UTF8') || t.payload
      FROM told t WHERE p_with_index
    RETURNING channel_id, message_offset, payload
  LOOP
    -- The doorbell: where, and what where it is small. A notification has less than 8000 bytes.
    nr := array_position(ids, written.channel_id);
    head := written.message_offset || '|' || epochs[nr] || '|' || p_names[nr] || E'\n';
    PERFORM pg_notify(p_bells[nr], CASE
      WHEN octet_length(head) + (octet_length(written.payload) + 2) / 3 * 4 < 8000
      THEN head || translate(encode(written.payload, 'base64'), E'\n', '') ELSE head END);
  END LOOP;

  UPDATE antiphon.bus_publishers p SET
    number = p_number, starts = bus_publish_1.starts, epochs = bus_publish_1.epochs, told_at = now()
    WHERE p.namespace = p_namespace AND p.publisher = p_publisher;
END $$;

-- Deletes what is gone for readers, and channels whose time is over: looks at `p_channels` of them from `p_after` on and
-- deletes at most `p_messages`. Answers from where to go on, NULL at the end. One process at a time does it.
CREATE OR REPLACE FUNCTION antiphon.bus_sweep_1(p_after bigint, p_channels int, p_messages int) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  one record;
  channel antiphon.bus_channels;
  is_over boolean;
  trimmed record;
  looked int := 0;
  budget int := p_messages;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtext('antiphon.bus_sweep'), 1) THEN RETURN NULL; END IF;
  IF p_after = 0 THEN
    DELETE FROM antiphon.bus_publishers p WHERE p.told_at < now() - interval '1 day';
  END IF;
  FOR one IN
    SELECT c.id, c.ends_at <= clock_timestamp() OR c.trimmed_to < c.kept_from AS has_work
    FROM antiphon.bus_channels c WHERE c.id > p_after ORDER BY c.id LIMIT p_channels
  LOOP
    looked := looked + 1;
    p_after := one.id;
    CONTINUE WHEN NOT one.has_work;
    -- Whoever publishes does not wait for us, nor we for them.
    SELECT c.* INTO channel FROM antiphon.bus_channels c WHERE c.id = one.id FOR UPDATE SKIP LOCKED;
    CONTINUE WHEN NOT FOUND;
    is_over := channel.ends_at <= clock_timestamp();
    SELECT * INTO trimmed FROM antiphon.bus_trim_1(channel.id, channel.trimmed_to,
      CASE WHEN is_over THEN channel.last_offset + 1 ELSE channel.kept_from END, budget);
    budget := budget - trimmed.gone;
    IF budget > 0 AND is_over THEN
      DELETE FROM antiphon.bus_channels c WHERE c.id = channel.id;
      INSERT INTO antiphon.bus_floors AS f VALUES (channel.namespace, channel.last_offset)
        ON CONFLICT (namespace) DO UPDATE SET floor_offset = greatest(f.floor_offset, excluded.floor_offset);
    ELSE
      UPDATE antiphon.bus_channels c SET trimmed_to = trimmed.trimmed_to WHERE c.id = channel.id;
    END IF;
    IF budget <= 0 THEN RETURN one.id - 1; END IF;
  END LOOP;
  RETURN CASE WHEN looked = p_channels THEN p_after END;
END $$;
