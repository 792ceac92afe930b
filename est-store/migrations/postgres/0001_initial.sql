-- Times are seconds since the Unix epoch, unless a column says micros. Texts are for people, BYTEAs for looking up.

CREATE TABLE passwords (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    hash        TEXT    NOT NULL,
    entity      TEXT,
    label       TEXT,
    created     BIGINT NOT NULL,
    expires     BIGINT NOT NULL,
    max_uses    BIGINT NOT NULL CHECK (max_uses > 0),
    uses        BIGINT NOT NULL DEFAULT 0 CHECK (uses BETWEEN 0 AND max_uses),
    revoked_at  BIGINT
);

-- What was issued. A row never changes: revocations stand beside it. The random keys are the serial numbers alone;
-- rows come in the order of their number, so that pages fill up and are not touched again.
CREATE TABLE certificates (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    serial      BYTEA    NOT NULL,
    ca          TEXT    NOT NULL,
    fingerprint BYTEA    NOT NULL CHECK (length(fingerprint) = 32),
    subject     TEXT    NOT NULL,
    names       TEXT,
    not_before  BIGINT NOT NULL,
    not_after   BIGINT NOT NULL,
    label       TEXT,
    profile     TEXT    NOT NULL,
    principal   TEXT    NOT NULL,
    issued_at   BIGINT NOT NULL,
    der         BYTEA    NOT NULL,
    UNIQUE (serial, ca)
);

-- Every authentication with a certificate looks here, so it has the small index to itself: by the SHA-256 of the
-- TBSCertificate, since the fingerprint changes with the octets of an ECDSA signature, which anybody can change.
CREATE TABLE revocations (
    certificate BIGINT PRIMARY KEY REFERENCES certificates (number),
    contents    BYTEA    NOT NULL UNIQUE CHECK (length(contents) = 32),
    revoked_at  BIGINT NOT NULL,
    reason      BIGINT NOT NULL
);

-- state: 0 open, 1 awaits approval, 2 approved, 3 denied, 4 finished. The first three are undecided.
-- Rows lie in the order of their coming: a claim and its end touch the same page, and share it with their neighbours.
CREATE TABLE claims (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    identity           BYTEA    NOT NULL UNIQUE CHECK (length(identity) = 32),
    state              BIGINT NOT NULL CHECK (state BETWEEN 0 AND 4),
    serial             BYTEA    NOT NULL,
    lease_until_micros BIGINT NOT NULL,
    replay_until       BIGINT NOT NULL,
    password           TEXT    REFERENCES passwords (id),
    certificate        BIGINT REFERENCES certificates (number),
    ticket             BYTEA,
    CHECK ((state = 4) = (certificate IS NOT NULL))
);

CREATE INDEX claims_by_end ON claims (replay_until);
CREATE INDEX claims_by_password ON claims (password) WHERE password IS NOT NULL;

-- state: as in claims, of which 1 to 3 can stand here.
CREATE TABLE requests (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    identity    BYTEA    NOT NULL,
    state       BIGINT NOT NULL CHECK (state BETWEEN 1 AND 3),
    created     BIGINT NOT NULL,
    subject     TEXT    NOT NULL,
    names       TEXT,
    principal   TEXT    NOT NULL,
    label       TEXT,
    ca          TEXT    NOT NULL,
    operation   TEXT    NOT NULL,
    csr         BYTEA    NOT NULL,
    decided_at  BIGINT,
    decided_by  TEXT
);

CREATE INDEX requests_by_state ON requests (state);

CREATE TABLE audit (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_micros   BIGINT NOT NULL,
    event       TEXT    NOT NULL,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('success', 'failure')),
    actor       TEXT,
    source      TEXT,
    label       TEXT,
    ca          TEXT,
    method      TEXT,
    reason      TEXT,
    serial      BYTEA,
    fingerprint BYTEA
);

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit table is append-only';
END $$;

CREATE TRIGGER audit_keeps_its_rows BEFORE UPDATE OR DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();

CREATE TRIGGER audit_keeps_every_row BEFORE TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
