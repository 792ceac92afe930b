-- The SHA-256 of each SubjectPublicKeyInfo whose certificate was revoked because the key was compromised: no certificate
-- is issued for it again, whoever asks.
CREATE TABLE compromised_keys (
    key BYTEA PRIMARY KEY CHECK (length(key) = 32)
);
