-- The name of a CA, by the SHA-256 of its DER, once a server has seen its certificate: the keys of one CA have one name.
ALTER TABLE authorities ADD COLUMN issuer BLOB CHECK (issuer IS NULL OR length(issuer) = 32);

-- What CAs were called before, and what each was called after that: their CRLs stay where certificates say that they are.
CREATE TABLE former_ids (
    id TEXT PRIMARY KEY,
    ca TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT OR REPLACE INTO former_ids (id, ca)
SELECT substr(reason, 1, instr(reason, ' of before, ') - 1), ca FROM audit
WHERE event = 'ca.renamed' AND ca IS NOT NULL AND instr(reason, ' of before, ') > 1 ORDER BY number;

-- The program fills in what certificates from before 0005 lack, wherever the key is missing.
UPDATE certificates SET key_digest = NULL WHERE contents IS NULL;
