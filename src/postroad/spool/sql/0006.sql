-- serves: 5
-- The spool, version 6: which node made an attempt; empty for those of older versions.
ALTER TABLE record ADD COLUMN node TEXT NOT NULL DEFAULT '';
