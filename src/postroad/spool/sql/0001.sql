-- serves: 1
-- The spool, version 1. docs/design/spool.md says what the states mean; this says where they stand.

-- Counters: the next numbers to give, which are never given twice, and what `stats` would otherwise have to count.
CREATE TABLE tally (
    next_message INTEGER NOT NULL,
    next_turn INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    octets INTEGER NOT NULL,
    finished INTEGER NOT NULL
) STRICT;
INSERT INTO tally VALUES (1, 1, 0, 0, 0);

-- `about` is a JSON list: seed, origin, reverse-path, flags, RET, ENVID, recipients. `rest` is the end of the body, of
-- most messages all of it: in front of it go as many rows of `piece` as `pieces` says. It stands last in the row, so
-- that who reads only what is in front of it does not read the body.
CREATE TABLE message (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    received_at REAL NOT NULL,
    size INTEGER NOT NULL,
    pieces INTEGER NOT NULL,
    about TEXT NOT NULL,
    finished_at REAL,
    rest BLOB
) STRICT;
CREATE INDEX message_finished ON message (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE piece (
    id TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    octets BLOB NOT NULL,
    UNIQUE (id, ordinal)
) STRICT;

-- Messages that have pieces and are not whole yet. `seen_at` is when a sweep saw it first.
CREATE TABLE arrival (
    id TEXT PRIMARY KEY,
    node TEXT NOT NULL,
    pieces INTEGER NOT NULL,
    octets INTEGER NOT NULL,
    seen_at REAL
) STRICT, WITHOUT ROWID;

-- `number` is the message's times 2^20, plus which of its destinations it is: the parcels of a message stand together,
-- in order of acceptance, and need no index for it. `recipients` is NULL for all those of the message.
CREATE TABLE parcel (
    number INTEGER PRIMARY KEY,
    destination TEXT NOT NULL,
    due_at REAL NOT NULL,
    node TEXT,
    held INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    warned INTEGER NOT NULL DEFAULT 0,
    waits_for_host INTEGER NOT NULL DEFAULT 0,
    recipients TEXT,
    said TEXT NOT NULL DEFAULT ''
) STRICT;
-- A fresh message is claimed as it is added, and mostly settled at its first attempt: of these it touches `claimed` only.
CREATE INDEX parcel_waiting ON parcel (destination, due_at) WHERE node IS NULL AND held = 0;
CREATE INDEX parcel_stranded ON parcel (destination, due_at) WHERE node IS NULL AND held = 0 AND waits_for_host = 1;
CREATE INDEX parcel_claimed ON parcel (node, destination) WHERE node IS NOT NULL;
CREATE INDEX parcel_held ON parcel (destination) WHERE held = 1;

CREATE TABLE record (
    number INTEGER PRIMARY KEY,
    message INTEGER NOT NULL,
    destination TEXT NOT NULL,
    at REAL NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE INDEX record_message ON record (message);

-- Destinations with waiting parcels. `turn_at` is when its next parcel is due, or when it was last served if that is
-- later: who waits longest for a turn comes first, and one index finds it among a million, due or not. `turn` breaks
-- ties: it counts the lanes served.
CREATE TABLE lane (
    destination TEXT PRIMARY KEY,
    turn_at REAL NOT NULL,
    turn INTEGER NOT NULL,
    served_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX lane_turn ON lane (turn_at, turn);

-- `renewed_at` is NULL until somebody with a clock has seen the node.
CREATE TABLE node (
    name TEXT PRIMARY KEY,
    renewed_at REAL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER message_kept AFTER INSERT ON message BEGIN
    UPDATE tally SET messages = messages + 1, octets = octets + NEW.size;
END;
CREATE TRIGGER message_finished AFTER UPDATE OF finished_at ON message BEGIN
    UPDATE tally SET messages = messages - 1, octets = octets - NEW.size, finished = finished + 1;
END;
CREATE TRIGGER message_gone AFTER DELETE ON message BEGIN
    UPDATE tally SET finished = finished - 1;
    DELETE FROM record WHERE message = OLD.number;
END;
