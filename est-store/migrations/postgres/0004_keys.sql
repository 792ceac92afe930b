-- The SHA-256 of the SubjectPublicKeyInfo of each certificate: a key that is compromised makes all of them bad. The
-- program fills it in where it is missing.
ALTER TABLE certificates ADD COLUMN key_digest BYTEA CHECK (key_digest IS NULL OR length(key_digest) = 32);
CREATE INDEX certificates_by_key ON certificates (key_digest);

-- What somebody got who authenticated with a certificate.
CREATE INDEX certificates_by_holder ON certificates (principal) WHERE principal LIKE 'cert:%';

-- What `ca` means in certificates, crls and revocation_counts: one key of a CA, whatever the configuration calls the CA.
-- digest: the SHA-256 of the key's SubjectPublicKeyInfo, once a server has seen it. id: what the configuration calls the CA.
CREATE TABLE authorities (
    name   TEXT  PRIMARY KEY,
    digest BYTEA UNIQUE CHECK (digest IS NULL OR length(digest) = 32),
    id     TEXT  NOT NULL
);

INSERT INTO authorities (name, id)
SELECT ca, ca FROM certificates UNION SELECT ca, ca FROM crls UNION SELECT ca, ca FROM revocation_counts;
