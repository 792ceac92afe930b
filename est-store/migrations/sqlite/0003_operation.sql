-- The audit trail as chains, one for each node: hash covers the record and the hash before it. A row without them was
-- written by no server. Which methods there are is the program's to say.
DROP TRIGGER audit_keeps_its_rows;
DROP TRIGGER audit_keeps_every_row;
ALTER TABLE audit RENAME TO audit_before;

CREATE TABLE audit (
    number      INTEGER PRIMARY KEY,
    at_micros   INTEGER NOT NULL,
    event       TEXT    NOT NULL,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('success', 'failure')),
    actor       TEXT,
    source      TEXT,
    label       TEXT,
    ca          TEXT,
    method      TEXT,
    reason      TEXT,
    serial      BLOB,
    fingerprint BLOB,
    node        TEXT,
    sequence    INTEGER,
    hash        BLOB CHECK (hash IS NULL OR length(hash) = 32)
) STRICT;

INSERT INTO audit (number, at_micros, event, outcome, actor, source, label, ca, method, reason, serial, fingerprint)
SELECT number, at_micros, event, outcome, actor, source, label, ca, method, reason, serial, fingerprint
FROM audit_before;

DROP TABLE audit_before;

CREATE TRIGGER audit_keeps_its_rows BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit table is append-only');
END;

CREATE TRIGGER audit_keeps_every_row BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit table is append-only');
END;

CREATE UNIQUE INDEX audit_by_chain ON audit (node, sequence) WHERE node IS NOT NULL;

-- The end of each chain: who writes audit records writes here first, so that a chain never forks.
CREATE TABLE chains (
    node     TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    hash     BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT, WITHOUT ROWID;

-- How far each sink has taken the chain of a node, and the node that ships it there at present.
CREATE TABLE sinks (
    node     TEXT    NOT NULL,
    sink     TEXT    NOT NULL,
    sequence INTEGER NOT NULL,
    holder   TEXT    NOT NULL DEFAULT '',
    lease_until INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (node, sink)
) STRICT, WITHOUT ROWID;

-- What a password is good for besides an entity and a label: patterns for the subject and the subjectAltName, JSON.
ALTER TABLE passwords ADD COLUMN names TEXT;

-- Wrong passwords, by the user name that was claimed, the password that was tried and the address that they came from:
-- the times of those that count, and since when there was no other.
CREATE TABLE failures (
    who          TEXT    PRIMARY KEY,
    times        TEXT    NOT NULL,
    since        INTEGER NOT NULL,
    locked_until INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX failures_by_time ON failures (since);

-- How many certificates of each CA were ever revoked: only whether it has changed counts.
CREATE TABLE revocation_counts (
    ca          TEXT    PRIMARY KEY,
    revocations INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The last CRL of each CA, and the revocation_counts when it was made.
CREATE TABLE crls (
    ca          TEXT    PRIMARY KEY,
    number      INTEGER NOT NULL,
    this_update INTEGER NOT NULL,
    next_update INTEGER NOT NULL,
    revocations INTEGER NOT NULL,
    der         BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX certificates_by_end ON certificates (not_after, ca);

-- For the deletion of certificates, each of which looks for claims of it.
CREATE INDEX claims_by_certificate ON claims (certificate) WHERE certificate IS NOT NULL;

-- A word that some databases keep to themselves.
ALTER TABLE compromised_keys RENAME COLUMN key TO digest;
