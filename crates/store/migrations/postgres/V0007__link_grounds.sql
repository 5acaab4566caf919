-- What a link to set a new password rests on: the password's version, and the role of a person who belongs nowhere else
-- (none for an operator's link). No link is older than this here.

ALTER TABLE links ADD COLUMN password_version bigint;
ALTER TABLE links ADD COLUMN ground_role text;
