-- The address of a connection's webhooks: a keyed hash that decides, and the secret, sealed, for its owner to see again.
-- Beside it what became of the last webhook that arrived, which no change of the connection writes.

ALTER TABLE connections ADD COLUMN webhook_hash BLOB CHECK (length(webhook_hash) = 32);
ALTER TABLE connections ADD COLUMN webhook_sealed BLOB;
ALTER TABLE connections ADD COLUMN webhook_version INTEGER;
ALTER TABLE connections ADD COLUMN webhook_since INTEGER;
ALTER TABLE connections ADD COLUMN delivered_at INTEGER;
ALTER TABLE connections ADD COLUMN delivery_error TEXT;
