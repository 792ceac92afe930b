-- Times are seconds since the Unix epoch, unless a column says micros. Texts are for people, LONGBLOBs for looking up.

CREATE TABLE IF NOT EXISTS passwords (
    number      BIGINT AUTO_INCREMENT PRIMARY KEY,
    id          VARCHAR(64)   NOT NULL UNIQUE,
    hash        TEXT    NOT NULL,
    entity      TEXT,
    label       TEXT,
    created     BIGINT NOT NULL,
    expires     BIGINT NOT NULL,
    max_uses    BIGINT NOT NULL CHECK (max_uses > 0),
    uses        BIGINT NOT NULL DEFAULT 0 CHECK (uses BETWEEN 0 AND max_uses),
    revoked_at  BIGINT
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- What was issued. A row never changes: revocations stand beside it. The random keys are the serial numbers alone;
-- rows come in the order of their number, so that pages fill up and are not touched again.
CREATE TABLE IF NOT EXISTS certificates (
    number      BIGINT AUTO_INCREMENT PRIMARY KEY,
    serial      VARBINARY(64)    NOT NULL,
    ca          VARCHAR(255)    NOT NULL,
    fingerprint VARBINARY(64)    NOT NULL CHECK (length(fingerprint) = 32),
    subject     MEDIUMTEXT    NOT NULL,
    names       MEDIUMTEXT,
    not_before  BIGINT NOT NULL,
    not_after   BIGINT NOT NULL,
    label       TEXT,
    profile     TEXT    NOT NULL,
    principal   MEDIUMTEXT    NOT NULL,
    issued_at   BIGINT NOT NULL,
    der         LONGBLOB    NOT NULL,
    UNIQUE (serial, ca)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- Every authentication with a certificate looks here, so it has the small index to itself: by the SHA-256 of the
-- TBSCertificate, since the fingerprint changes with the octets of an ECDSA signature, which anybody can change.
CREATE TABLE IF NOT EXISTS revocations (
    certificate BIGINT PRIMARY KEY,
    contents    VARBINARY(64)    NOT NULL UNIQUE CHECK (length(contents) = 32),
    revoked_at  BIGINT NOT NULL,
    reason      BIGINT NOT NULL,
    FOREIGN KEY (certificate) REFERENCES certificates (number)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- state: 0 open, 1 awaits approval, 2 approved, 3 denied, 4 finished. The first three are undecided.
-- Rows lie in the order of their coming: a claim and its end touch the same page, and share it with their neighbours.
CREATE TABLE IF NOT EXISTS claims (
    number             BIGINT AUTO_INCREMENT PRIMARY KEY,
    identity           VARBINARY(64)    NOT NULL UNIQUE CHECK (length(identity) = 32),
    state              BIGINT NOT NULL CHECK (state BETWEEN 0 AND 4),
    serial             VARBINARY(64)    NOT NULL,
    lease_until_micros BIGINT NOT NULL,
    replay_until       BIGINT NOT NULL,
    password           VARCHAR(64),
    certificate        BIGINT,
    ticket             LONGBLOB,
    CHECK ((state = 4) = (certificate IS NOT NULL)),
    FOREIGN KEY (password) REFERENCES passwords (id),
    FOREIGN KEY (certificate) REFERENCES certificates (number)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE INDEX IF NOT EXISTS claims_by_end ON claims (replay_until);
CREATE INDEX IF NOT EXISTS claims_by_password ON claims (password);

-- state: as in claims, of which 1 to 3 can stand here.
CREATE TABLE IF NOT EXISTS requests (
    number      BIGINT AUTO_INCREMENT PRIMARY KEY,
    id          VARCHAR(64)   NOT NULL UNIQUE,
    identity    VARBINARY(64)    NOT NULL,
    state       BIGINT NOT NULL CHECK (state BETWEEN 1 AND 3),
    created     BIGINT NOT NULL,
    subject     MEDIUMTEXT    NOT NULL,
    names       MEDIUMTEXT,
    principal   MEDIUMTEXT    NOT NULL,
    label       TEXT,
    ca          VARCHAR(255)    NOT NULL,
    operation   TEXT    NOT NULL,
    csr         LONGBLOB    NOT NULL,
    decided_at  BIGINT,
    decided_by  TEXT
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE INDEX IF NOT EXISTS requests_by_state ON requests (state);

CREATE TABLE IF NOT EXISTS audit (
    number      BIGINT AUTO_INCREMENT PRIMARY KEY,
    at_micros   BIGINT NOT NULL,
    event       TEXT    NOT NULL,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('success', 'failure')),
    actor       MEDIUMTEXT,
    source      TEXT,
    label       TEXT,
    ca          VARCHAR(255),
    method      TEXT,
    reason      MEDIUMTEXT,
    serial      VARBINARY(64),
    fingerprint VARBINARY(64)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TRIGGER IF NOT EXISTS audit_keeps_its_rows BEFORE UPDATE ON audit
FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit table is append-only';

CREATE TRIGGER IF NOT EXISTS audit_keeps_every_row BEFORE DELETE ON audit
FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit table is append-only';
