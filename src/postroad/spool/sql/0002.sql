-- serves: 2
-- The spool, version 2: who finishes messages counts them, once a commit instead of once a row.
DROP TRIGGER message_kept;
DROP TRIGGER message_finished;
