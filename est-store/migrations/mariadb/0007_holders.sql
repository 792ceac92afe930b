-- The node that works on an open claim: one that starts anew knows that nobody does.
ALTER TABLE claims ADD COLUMN IF NOT EXISTS node VARCHAR(64);

-- The id of the principal that a request comes from: each may have a few that wait.
ALTER TABLE requests ADD COLUMN IF NOT EXISTS asker VARCHAR(255);
CREATE INDEX IF NOT EXISTS requests_by_asker ON requests (asker, state);
