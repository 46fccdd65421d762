-- serves: 2
-- The spool, version 3: what the relay has learned that is no mail, such as policies of domains and counts for reports.
CREATE TABLE lesson (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    text TEXT NOT NULL,
    count INTEGER NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
