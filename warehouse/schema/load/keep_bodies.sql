-- The bodies that this run's prices were read from, each at its place: the address, and the how-manieth answer.
CREATE OR REPLACE TEMP TABLE answers AS
SELECT run_no, crawler, source_url, body_sha256, NULL::INTEGER AS place_no,
    row_number() OVER (PARTITION BY run_no, source_url ORDER BY first_row)::INTEGER AS ordinal
FROM (
    SELECT run_no, run_provider AS crawler, source_url, body_sha256, min(row_no) AS first_row
    FROM verdicts WHERE status <> 'rejected' GROUP BY run_no, run_provider, source_url, body_sha256
);

INSERT INTO raw_places
SELECT $first_place - 1 + row_number() OVER (ORDER BY crawler, source_url, ordinal), crawler, source_url, ordinal
FROM (SELECT DISTINCT crawler, source_url, ordinal FROM answers) AS n
WHERE NOT EXISTS (FROM raw_places AS k WHERE k.crawler = n.crawler AND k.ordinal = n.ordinal
    AND k.source_url IS NOT DISTINCT FROM n.source_url);

UPDATE answers AS n SET place_no = k.place_no FROM raw_places AS k
WHERE k.crawler = n.crawler AND k.ordinal = n.ordinal AND k.source_url IS NOT DISTINCT FROM n.source_url;

INSERT INTO raw_bodies SELECT run_no, place_no, body_sha256 FROM answers ORDER BY run_no, place_no;
