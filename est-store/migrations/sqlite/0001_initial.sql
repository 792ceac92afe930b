-- Times are seconds since the Unix epoch, unless a column says micros. Texts are for people, BLOBs for looking up.

CREATE TABLE passwords (
    number      INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    hash        TEXT    NOT NULL,
    entity      TEXT,
    label       TEXT,
    created     INTEGER NOT NULL,
    expires     INTEGER NOT NULL,
    max_uses    INTEGER NOT NULL CHECK (max_uses > 0),
    uses        INTEGER NOT NULL DEFAULT 0 CHECK (uses BETWEEN 0 AND max_uses),
    revoked_at  INTEGER
) STRICT;

-- What was issued. A row never changes: revocations stand beside it. The random keys are the serial numbers alone;
-- rows come in the order of their number, so that pages fill up and are not touched again.
CREATE TABLE certificates (
    number      INTEGER PRIMARY KEY,
    serial      BLOB    NOT NULL,
    ca          TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    subject     TEXT    NOT NULL,
    names       TEXT,
    not_before  INTEGER NOT NULL,
    not_after   INTEGER NOT NULL,
    label       TEXT,
    profile     TEXT    NOT NULL,
    principal   TEXT    NOT NULL,
    issued_at   INTEGER NOT NULL,
    der         BLOB    NOT NULL,
    UNIQUE (serial, ca)
) STRICT;

-- Every authentication with a certificate looks here, so it has the small index to itself: by the SHA-256 of the
-- TBSCertificate, since the fingerprint changes with the octets of an ECDSA signature, which anybody can change.
CREATE TABLE revocations (
    certificate INTEGER PRIMARY KEY REFERENCES certificates (number),
    contents    BLOB    NOT NULL UNIQUE CHECK (length(contents) = 32),
    revoked_at  INTEGER NOT NULL,
    reason      INTEGER NOT NULL
) STRICT;

-- state: 0 open, 1 awaits approval, 2 approved, 3 denied, 4 finished. The first three are undecided.
-- Rows lie in the order of their coming: a claim and its end touch the same page, and share it with their neighbours.
CREATE TABLE claims (
    number             INTEGER PRIMARY KEY,
    identity           BLOB    NOT NULL UNIQUE CHECK (length(identity) = 32),
    state              INTEGER NOT NULL CHECK (state BETWEEN 0 AND 4),
    serial             BLOB    NOT NULL,
    lease_until_micros INTEGER NOT NULL,
    replay_until       INTEGER NOT NULL,
    password           TEXT    REFERENCES passwords (id),
    certificate        INTEGER REFERENCES certificates (number),
    ticket             BLOB,
    CHECK ((state = 4) = (certificate IS NOT NULL))
) STRICT;

CREATE INDEX claims_by_end ON claims (replay_until);
CREATE INDEX claims_by_password ON claims (password) WHERE password IS NOT NULL;

-- state: as in claims, of which 1 to 3 can stand here.
CREATE TABLE requests (
    number      INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    identity    BLOB    NOT NULL,
    state       INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),
    created     INTEGER NOT NULL,
    subject     TEXT    NOT NULL,
    names       TEXT,
    principal   TEXT    NOT NULL,
    label       TEXT,
    ca          TEXT    NOT NULL,
    operation   TEXT    NOT NULL,
    csr         BLOB    NOT NULL,
    decided_at  INTEGER,
    decided_by  TEXT
) STRICT;

CREATE INDEX requests_by_state ON requests (state);

CREATE TABLE audit (
    number      INTEGER PRIMARY KEY,
    at_micros   INTEGER NOT NULL,
    event       TEXT    NOT NULL,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('success', 'failure')),
    actor       TEXT,
    source      TEXT,
    label       TEXT,
    ca          TEXT,
    method      TEXT    CHECK (method IN ('certificate', 'otp', 'local')),
    reason      TEXT,
    serial      BLOB,
    fingerprint BLOB
) STRICT;

CREATE TRIGGER audit_keeps_its_rows BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit table is append-only');
END;

CREATE TRIGGER audit_keeps_every_row BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit table is append-only');
END;
