-- The audit trail as chains, one for each node: hash covers the record and the hash before it. A row without them was
-- written by no server.
ALTER TABLE audit ADD COLUMN IF NOT EXISTS node VARCHAR(64);
ALTER TABLE audit ADD COLUMN IF NOT EXISTS sequence BIGINT;
ALTER TABLE audit ADD COLUMN IF NOT EXISTS hash VARBINARY(32) CHECK (hash IS NULL OR length(hash) = 32);
CREATE UNIQUE INDEX IF NOT EXISTS audit_by_chain ON audit (node, sequence);

-- The end of each chain: who writes audit records writes here first, so that a chain never forks.
CREATE TABLE IF NOT EXISTS chains (
    node     VARCHAR(64) PRIMARY KEY,
    sequence BIGINT NOT NULL,
    hash     VARBINARY(64)    NOT NULL CHECK (length(hash) = 32)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- How far each sink has taken the chain of a node, and the node that ships it there at present.
CREATE TABLE IF NOT EXISTS sinks (
    node     VARCHAR(64)    NOT NULL,
    sink     VARCHAR(320)    NOT NULL,
    sequence BIGINT NOT NULL,
    holder   VARCHAR(64)    NOT NULL DEFAULT '',
    lease_until BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (node, sink)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- What a password is good for besides an entity and a label: patterns for the subject and the subjectAltName, JSON.
ALTER TABLE passwords ADD COLUMN IF NOT EXISTS names TEXT;

-- Wrong passwords, by the user name that was claimed, the password that was tried and the address that they came from:
-- the times of those that count, and since when there was no other.
CREATE TABLE IF NOT EXISTS failures (
    who          VARCHAR(512)    PRIMARY KEY,
    times        TEXT   NOT NULL,
    since        BIGINT NOT NULL,
    locked_until BIGINT
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE INDEX IF NOT EXISTS failures_by_time ON failures (since);

-- How many certificates of each CA were ever revoked: only whether it has changed counts.
CREATE TABLE IF NOT EXISTS revocation_counts (
    ca          VARCHAR(255) PRIMARY KEY,
    revocations BIGINT       NOT NULL
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- The last CRL of each CA, and the revocation_counts when it was made.
CREATE TABLE IF NOT EXISTS crls (
    ca          VARCHAR(255)    PRIMARY KEY,
    number      BIGINT NOT NULL,
    this_update BIGINT NOT NULL,
    next_update BIGINT NOT NULL,
    revocations BIGINT NOT NULL,
    der         LONGBLOB    NOT NULL
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE INDEX IF NOT EXISTS certificates_by_end ON certificates (not_after, ca);

-- A word that some databases keep to themselves.
ALTER TABLE compromised_keys RENAME COLUMN IF EXISTS `key` TO digest;
