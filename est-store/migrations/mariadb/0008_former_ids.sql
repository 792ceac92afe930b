-- The name of a CA, by the SHA-256 of its DER, once a server has seen its certificate: the keys of one CA have one name.
ALTER TABLE authorities ADD COLUMN IF NOT EXISTS issuer VARBINARY(64) CHECK (issuer IS NULL OR length(issuer) = 32);

-- What CAs were called before, and what each was called after that: their CRLs stay where certificates say that they are.
CREATE TABLE IF NOT EXISTS former_ids (
    id VARCHAR(255) PRIMARY KEY,
    ca VARCHAR(255) NOT NULL
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

REPLACE INTO former_ids (id, ca)
SELECT substring_index(reason, ' of before, ', 1), ca FROM audit
WHERE event = 'ca.renamed' AND ca IS NOT NULL AND reason LIKE '_% of before, %' ORDER BY number;

-- The program fills in what certificates from before 0005 lack, wherever the key is missing.
UPDATE certificates SET key_digest = NULL WHERE contents IS NULL;
