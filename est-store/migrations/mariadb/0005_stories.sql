-- From a certificate to what it goes back to: the password and the request that an operator approved, and the
-- certificate that its client authenticated with. `contents` is the SHA-256 of the TBSCertificate, by which that is known.
ALTER TABLE certificates ADD COLUMN IF NOT EXISTS contents VARBINARY(64);
ALTER TABLE certificates ADD COLUMN IF NOT EXISTS password VARCHAR(64);
ALTER TABLE certificates ADD COLUMN IF NOT EXISTS request VARCHAR(64);
ALTER TABLE certificates ADD COLUMN IF NOT EXISTS predecessor VARBINARY(64);
ALTER TABLE certificates ADD COLUMN IF NOT EXISTS predecessor_ca VARCHAR(255);

-- Who made a password.
ALTER TABLE passwords ADD COLUMN IF NOT EXISTS created_by MEDIUMTEXT;

-- Where a request came from, the password or the certificate that it came with, and what was said of it.
ALTER TABLE requests ADD COLUMN IF NOT EXISTS source TEXT;
ALTER TABLE requests ADD COLUMN IF NOT EXISTS password VARCHAR(64);
ALTER TABLE requests ADD COLUMN IF NOT EXISTS shown LONGBLOB;
ALTER TABLE requests ADD COLUMN IF NOT EXISTS comment TEXT;

CREATE INDEX IF NOT EXISTS requests_by_identity ON requests (identity);

UPDATE certificates SET password = substr(principal, 5) WHERE principal LIKE 'otp:%';
UPDATE certificates SET request =
    (SELECT r.id FROM claims k JOIN requests r ON r.identity = k.identity WHERE k.certificate = certificates.number
     ORDER BY r.number DESC LIMIT 1);

CREATE INDEX IF NOT EXISTS certificates_by_password ON certificates (password);
CREATE INDEX IF NOT EXISTS certificates_by_request ON certificates (request);
