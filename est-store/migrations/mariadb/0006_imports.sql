-- Entries of CRLs that were imported whose certificates the inventory does not have: they stay on the CRLs of their key for
-- ever, since nobody knows when the certificates end. ca: the name of an authority. issuer: the SHA-256 of its name, DER.
CREATE TABLE IF NOT EXISTS listed_revocations (
    ca         VARCHAR(255) NOT NULL,
    serial     VARBINARY(64) NOT NULL,
    issuer     VARBINARY(64) NOT NULL CHECK (length(issuer) = 32),
    revoked_at BIGINT NOT NULL,
    reason     BIGINT NOT NULL,
    PRIMARY KEY (ca, serial)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE INDEX IF NOT EXISTS listed_revocations_by_serial ON listed_revocations (serial, issuer);
