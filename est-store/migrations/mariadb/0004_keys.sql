-- The SHA-256 of the SubjectPublicKeyInfo of each certificate: a key that is compromised makes all of them bad. The
-- program fills it in where it is missing.
ALTER TABLE certificates ADD COLUMN IF NOT EXISTS key_digest VARBINARY(64)
    CHECK (key_digest IS NULL OR length(key_digest) = 32);
CREATE INDEX IF NOT EXISTS certificates_by_key ON certificates (key_digest);

-- What somebody got who authenticated with a certificate: `cert:` and 95 characters.
CREATE INDEX IF NOT EXISTS certificates_by_holder ON certificates (principal(100));

-- What `ca` means in certificates, crls and revocation_counts: one key of a CA, whatever the configuration calls the CA.
-- digest: the SHA-256 of the key's SubjectPublicKeyInfo, once a server has seen it. id: what the configuration calls the CA.
CREATE TABLE IF NOT EXISTS authorities (
    name   VARCHAR(255)  PRIMARY KEY,
    digest VARBINARY(64) UNIQUE CHECK (digest IS NULL OR length(digest) = 32),
    id     VARCHAR(255)  NOT NULL
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

INSERT IGNORE INTO authorities (name, id)
SELECT ca, ca FROM certificates UNION SELECT ca, ca FROM crls UNION SELECT ca, ca FROM revocation_counts;
