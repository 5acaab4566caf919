-- The address of a connection's webhooks: a keyed hash that decides, and the secret, sealed, for its owner to see again.
-- Beside it what became of the last webhook that arrived, which no change of the connection writes.

ALTER TABLE connections ADD COLUMN webhook_hash bytea CHECK (octet_length(webhook_hash) = 32);
ALTER TABLE connections ADD COLUMN webhook_sealed bytea;
ALTER TABLE connections ADD COLUMN webhook_version bigint;
ALTER TABLE connections ADD COLUMN webhook_since timestamptz;
ALTER TABLE connections ADD COLUMN delivered_at timestamptz;
ALTER TABLE connections ADD COLUMN delivery_error bytea;
