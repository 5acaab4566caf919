-- What a link to set a new password rests on: the password's version, and the role of a person who belongs nowhere else
-- (none for an operator's link). Links from before rest on nothing, so they are void.

DELETE FROM doors WHERE kind = 'link' AND hash IN (SELECT hash FROM links WHERE role IS NULL);
DELETE FROM links WHERE role IS NULL;

ALTER TABLE links ADD COLUMN password_version INTEGER;
ALTER TABLE links ADD COLUMN ground_role TEXT;

-- Whoever belongs to no tenant is known no more.
DELETE FROM users WHERE id NOT IN (SELECT user FROM memberships);
