-- The SHA-256 of each SubjectPublicKeyInfo whose certificate was revoked because the key was compromised: no certificate
-- is issued for it again, whoever asks.
CREATE TABLE IF NOT EXISTS compromised_keys (
    `key` VARBINARY(64) PRIMARY KEY CHECK (length(`key`) = 32)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
