-- serves: 1
-- The spool on PostgreSQL, version 1. docs/design/spool.md says what the states mean; this says where they stand.

-- One row. `serves` is the oldest version of the schema whose Postroad can work with this one; what was finished before
-- `remembers_from` is not shown any more.
CREATE TABLE postroad.spool (
    version integer NOT NULL,
    serves integer NOT NULL,
    remembers_from double precision NOT NULL DEFAULT '-infinity'
);
INSERT INTO postroad.spool (version, serves) VALUES (1, 1);

-- The relays. A token belongs to one life of one process, and is never given again.
CREATE TABLE postroad.node (
    name text COLLATE "C" PRIMARY KEY,
    token bigint NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
    renewed_at timestamptz NOT NULL,
    process text NOT NULL
) WITH (fillfactor = 50);

-- `about` is a JSON list: seed, origin, reverse-path, flags, RET, ENVID, recipients; as text, for jsonb takes no \u0000.
-- `parcels` is how many it ever had: the settlers of one that had several lock it, so that one of them finishes it.
CREATE SEQUENCE postroad.message_number;
CREATE TABLE postroad.message (
    number bigint PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    received_at double precision NOT NULL,
    size bigint NOT NULL,
    parcels integer NOT NULL,
    sender text COLLATE "C" NOT NULL,
    about text COLLATE "C" NOT NULL
);

-- The body, in pieces: -1 stands in front of the others. Mail does not compress, so nobody tries; up to 8 KB it stays in
-- the row.
CREATE TABLE postroad.piece (
    id text COLLATE "C" NOT NULL,
    ordinal integer NOT NULL,
    octets bytea NOT NULL,
    PRIMARY KEY (id, ordinal)
) WITH (toast_tuple_target = 8160);
ALTER TABLE postroad.piece ALTER COLUMN octets SET STORAGE EXTERNAL;

-- Messages that have pieces and are not whole yet. `seen_at` is when a sweep saw it first.
CREATE TABLE postroad.arrival (
    id text COLLATE "C" PRIMARY KEY,
    node text COLLATE "C" NOT NULL,
    pieces integer NOT NULL,
    octets bigint NOT NULL,
    seen_at double precision
);

-- `number` is the message's times 2^20, plus which of its parcels it is. `recipients` is NULL for all of the message.
CREATE TABLE postroad.parcel (
    number bigint PRIMARY KEY,
    destination text COLLATE "C" NOT NULL,
    due_at double precision NOT NULL,
    holder bigint,
    held boolean NOT NULL DEFAULT false,
    attempts integer NOT NULL DEFAULT 0,
    warned boolean NOT NULL DEFAULT false,
    waits_for_host boolean NOT NULL DEFAULT false,
    recipients text COLLATE "C",
    said text NOT NULL DEFAULT '',
    routes text NOT NULL DEFAULT ''
);
CREATE INDEX parcel_waiting ON postroad.parcel (destination, due_at, number) WHERE holder IS NULL AND NOT held;
CREATE INDEX parcel_stranded ON postroad.parcel (destination, due_at)
    WHERE holder IS NULL AND NOT held AND waits_for_host;
CREATE INDEX parcel_claimed ON postroad.parcel (holder) WHERE holder IS NOT NULL;
CREATE INDEX parcel_held ON postroad.parcel (number) WHERE held;

-- Destinations with waiting parcels. None of them is due before `turn_at`, nor was it served later than that; the next
-- claim makes it exact. `turn` breaks ties: it counts the lanes served.
CREATE SEQUENCE postroad.turn;
CREATE TABLE postroad.lane (
    destination text COLLATE "C" PRIMARY KEY,
    turn_at double precision NOT NULL,
    turn bigint NOT NULL DEFAULT 0,
    served_at double precision NOT NULL DEFAULT '-infinity'
);
CREATE INDEX lane_turn ON postroad.lane (turn_at, turn, destination);

-- The attempts of messages that are not finished.
CREATE TABLE postroad.record (
    number bigint GENERATED ALWAYS AS IDENTITY,
    message bigint NOT NULL,
    destination text COLLATE "C" NOT NULL,
    at double precision NOT NULL,
    text text NOT NULL,
    node text COLLATE "C" NOT NULL,
    PRIMARY KEY (message, number)
);

-- Finished messages: a partition for each day, which is dropped when all in it is past the history time. `records` is a
-- JSON list of [destination, at, text, node].
CREATE TABLE postroad.past (
    number bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    received_at double precision NOT NULL,
    size bigint NOT NULL,
    about text COLLATE "C" NOT NULL,
    finished_at double precision NOT NULL,
    records text NOT NULL
) PARTITION BY RANGE (finished_at);
CREATE INDEX past_id ON postroad.past (id);

-- Keys and texts are octets of UTF-8: they may have a NUL in them.
CREATE TABLE postroad.lesson (
    kind text COLLATE "C" NOT NULL,
    key bytea NOT NULL,
    text bytea NOT NULL,
    count bigint NOT NULL,
    at double precision NOT NULL,
    PRIMARY KEY (kind, key)
);

-- A queue turns over faster than a share of its size would tell.
ALTER TABLE postroad.message SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
ALTER TABLE postroad.parcel SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
ALTER TABLE postroad.piece SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
ALTER TABLE postroad.lane SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
