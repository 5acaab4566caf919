-- What a connection is for, in its owner's words, and how often its records are wanted.

ALTER TABLE connections ADD COLUMN description bytea;
ALTER TABLE connections ADD COLUMN sync_frequency text NOT NULL DEFAULT 'manual'
    CHECK (sync_frequency IN ('realtime', 'hourly', 'daily', 'weekly', 'manual'));
