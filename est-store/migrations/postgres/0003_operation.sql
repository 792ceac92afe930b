-- The audit trail as chains, one for each node: hash covers the record and the hash before it. A row without them was
-- written by no server.
ALTER TABLE audit ADD COLUMN node TEXT;
ALTER TABLE audit ADD COLUMN sequence BIGINT;
ALTER TABLE audit ADD COLUMN hash BYTEA CHECK (hash IS NULL OR length(hash) = 32);
CREATE UNIQUE INDEX audit_by_chain ON audit (node, sequence) WHERE node IS NOT NULL;

-- The end of each chain: who writes audit records writes here first, so that a chain never forks.
CREATE TABLE chains (
    node     TEXT PRIMARY KEY,
    sequence BIGINT NOT NULL,
    hash     BYTEA    NOT NULL CHECK (length(hash) = 32)
);

-- How far each sink has taken the chain of a node, and the node that ships it there at present.
CREATE TABLE sinks (
    node     TEXT    NOT NULL,
    sink     TEXT    NOT NULL,
    sequence BIGINT NOT NULL,
    holder   TEXT    NOT NULL DEFAULT '',
    lease_until BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (node, sink)
);

-- What a password is good for besides an entity and a label: patterns for the subject and the subjectAltName, JSON.
ALTER TABLE passwords ADD COLUMN names TEXT;

-- Wrong passwords, by the user name that was claimed, the password that was tried and the address that they came from:
-- the times of those that count, and since when there was no other.
CREATE TABLE failures (
    who          TEXT    PRIMARY KEY,
    times        TEXT   NOT NULL,
    since        BIGINT NOT NULL,
    locked_until BIGINT
);

CREATE INDEX failures_by_time ON failures (since);

-- How many certificates of each CA were ever revoked: only whether it has changed counts.
CREATE TABLE revocation_counts (
    ca          TEXT   PRIMARY KEY,
    revocations BIGINT NOT NULL
);

-- The last CRL of each CA, and the revocation_counts when it was made.
CREATE TABLE crls (
    ca          TEXT    PRIMARY KEY,
    number      BIGINT NOT NULL,
    this_update BIGINT NOT NULL,
    next_update BIGINT NOT NULL,
    revocations BIGINT NOT NULL,
    der         BYTEA    NOT NULL
);

CREATE INDEX certificates_by_end ON certificates (not_after, ca);

-- For the deletion of certificates, each of which looks for claims of it.
CREATE INDEX claims_by_certificate ON claims (certificate) WHERE certificate IS NOT NULL;

-- A word that some databases keep to themselves.
ALTER TABLE compromised_keys RENAME COLUMN key TO digest;
