-- The twin of PostgreSQL's step: one process at a time uses a file, so there is nobody to count.
SELECT 1;
