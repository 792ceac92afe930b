-- The node that works on an open claim: one that starts anew knows that nobody does.
ALTER TABLE claims ADD COLUMN node TEXT;

-- The id of the principal that a request comes from: each may have a few that wait.
ALTER TABLE requests ADD COLUMN asker TEXT;
CREATE INDEX requests_by_asker ON requests (asker, state);
