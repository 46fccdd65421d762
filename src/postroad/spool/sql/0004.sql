-- serves: 4
-- The spool, version 4: the routes that a parcel has been refused on and the one it takes now, by their names in the
-- settings with blanks between them; empty for who goes as the settings have it.
ALTER TABLE parcel ADD COLUMN routes TEXT NOT NULL DEFAULT '';
