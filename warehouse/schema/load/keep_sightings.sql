-- One narrow row per offer and run, in the order of the states, which compresses to about a byte.
CREATE OR REPLACE TEMP TABLE sighted AS
SELECT n.run_no, n.state_no, b.body_no, n.accepted, n.offer_id, n.source, n.crawler, n.currency, n.available,
    n.price_per_hour
FROM stating AS n
JOIN raw_bodies AS b ON b.run_no = n.run_no AND b.source_url = n.source_url
    AND b.body_sha256 IS NOT DISTINCT FROM n.body_sha256;

INSERT INTO raw_sightings
SELECT run_no, state_no, body_no, accepted FROM sighted ORDER BY run_no, state_no;
