-- serves: 1
-- The spool on PostgreSQL, version 2: a destination's turns are tickets, which are written once and never changed, so that
-- dead rows which a foreign transaction keeps are in nobody's way. Nodes of version 1 go on with their lanes beside it.

-- Whoever lets parcels of a destination wait draws a ticket for it in the same commit. No parcel that it stands for comes
-- before (`low_at`, `low_number`) in order of time, nor has its turn before `turn_at`; a claim takes the tickets of a
-- destination, and draws one for what is left. `turn` breaks ties: 0 of a destination that was not served yet.
CREATE TABLE postroad.ticket (
    turn_at double precision NOT NULL,
    turn bigint NOT NULL,
    destination text COLLATE "C" NOT NULL,
    number bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    served_at double precision NOT NULL,
    low_at double precision NOT NULL,
    low_number bigint NOT NULL,
    PRIMARY KEY (turn_at, turn, destination, number)
);
ALTER TABLE postroad.ticket SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
INSERT INTO postroad.ticket (turn_at, turn, destination, served_at, low_at, low_number)
SELECT turn_at, turn, destination, served_at, '-infinity', 0 FROM postroad.lane;

-- One row: how often tickets were drawn for a time long past, behind which nodes do not look any more.
CREATE TABLE postroad.look (count bigint NOT NULL);
INSERT INTO postroad.look VALUES (0);

-- `process` again, of a life that knows tickets: a node of version 1 changes only the other one.
ALTER TABLE postroad.node ADD COLUMN draws text;
