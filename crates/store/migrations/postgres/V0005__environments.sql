-- Where connections and API keys belong, and what is known of a key's life.

ALTER TABLE connections ADD COLUMN environment text NOT NULL DEFAULT 'production'
    CHECK (environment IN ('development', 'staging', 'production'));

-- A key without one may act in all.
ALTER TABLE api_keys ADD COLUMN environment text CHECK (environment IN ('development', 'staging', 'production'));
ALTER TABLE api_keys ADD COLUMN version bigint NOT NULL DEFAULT 1;
ALTER TABLE api_keys ADD COLUMN last_used_at timestamptz;
