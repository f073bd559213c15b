-- The bodies that this run's prices were read from, numbered once.
INSERT INTO raw_bodies
SELECT $first_body - 1 + row_number() OVER (ORDER BY run_no, source_url, body_sha256), run_no, source_url, body_sha256
FROM (SELECT DISTINCT run_no, source_url, body_sha256 FROM verdicts WHERE status <> 'rejected');
