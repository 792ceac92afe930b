-- From a certificate to what it goes back to: the password and the request that an operator approved, and the
-- certificate that its client authenticated with. `contents` is the SHA-256 of the TBSCertificate, by which that is known.
ALTER TABLE certificates ADD COLUMN contents BLOB;
ALTER TABLE certificates ADD COLUMN password TEXT;
ALTER TABLE certificates ADD COLUMN request TEXT;
ALTER TABLE certificates ADD COLUMN predecessor BLOB;
ALTER TABLE certificates ADD COLUMN predecessor_ca TEXT;

-- Who made a password.
ALTER TABLE passwords ADD COLUMN created_by TEXT;

-- Where a request came from, the password or the certificate that it came with, and what was said of it.
ALTER TABLE requests ADD COLUMN source TEXT;
ALTER TABLE requests ADD COLUMN password TEXT;
ALTER TABLE requests ADD COLUMN shown BLOB;
ALTER TABLE requests ADD COLUMN comment TEXT;

CREATE INDEX requests_by_identity ON requests (identity);

UPDATE certificates SET password = substr(principal, 5) WHERE principal LIKE 'otp:%';
UPDATE certificates SET request =
    (SELECT r.id FROM claims k JOIN requests r ON r.identity = k.identity WHERE k.certificate = certificates.number
     ORDER BY r.number DESC LIMIT 1);

CREATE INDEX certificates_by_password ON certificates (password) WHERE password IS NOT NULL;
CREATE INDEX certificates_by_request ON certificates (request) WHERE request IS NOT NULL;
