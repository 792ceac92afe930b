-- Entries of CRLs that were imported whose certificates the inventory does not have: they stay on the CRLs of their key for
-- ever, since nobody knows when the certificates end. ca: the name of an authority. issuer: the SHA-256 of its name, DER.
CREATE TABLE listed_revocations (
    ca         TEXT NOT NULL,
    serial     BYTEA NOT NULL,
    issuer     BYTEA NOT NULL CHECK (length(issuer) = 32),
    revoked_at BIGINT NOT NULL,
    reason     BIGINT NOT NULL,
    PRIMARY KEY (ca, serial)
);

CREATE INDEX listed_revocations_by_serial ON listed_revocations (serial, issuer);
