-- The same for a run newer than all others of its provider, without reading the past: what is unchanged is
-- seen again, what differs closes its span and opens one, and what was missed often enough is closed.
CREATE OR REPLACE TEMP TABLE fresh AS
SELECT s.offer_id, s.provider, s.source, r.observed_at AS moment, s.run_no, s.price_per_hour, s.currency, s.available,
    s.state_no, s.body_no, r.origin = 'bundled' AS bundled
FROM sighted AS s JOIN this_run AS r USING (run_no)
WHERE s.accepted;

CREATE OR REPLACE TEMP TABLE stays AS
SELECT f.* FROM fresh AS f JOIN core_spans AS s ON s.offer_id = f.offer_id AND s.valid_to IS NULL
    AND s.price_per_hour = f.price_per_hour AND s.available IS NOT DISTINCT FROM f.available;

UPDATE core_spans AS s SET last_seen = f.moment, last_listed = f.moment, last_run_no = f.run_no, last_body_no = f.body_no,
    state_no = f.state_no, bundled = f.bundled
FROM stays AS f WHERE s.offer_id = f.offer_id AND s.valid_to IS NULL;

CREATE OR REPLACE TEMP TABLE starts AS SELECT * FROM fresh WHERE offer_id NOT IN (SELECT offer_id FROM stays);

UPDATE core_spans AS s SET valid_to = f.moment, closed_by = 'price', closed_at = f.moment
FROM starts AS f WHERE s.offer_id = f.offer_id AND s.valid_to IS NULL;

INSERT INTO core_spans BY NAME
SELECT offer_id, provider, source, moment AS valid_from, moment AS last_seen, moment AS last_listed, price_per_hour, currency, available, state_no,
    run_no, run_no AS last_run_no, body_no AS last_body_no, bundled
FROM starts ORDER BY offer_id;

UPDATE core_spans AS s SET last_listed = r.observed_at
FROM sighted AS n JOIN this_run AS r USING (run_no)
WHERE NOT n.accepted AND s.offer_id = n.offer_id AND s.valid_to IS NULL AND s.last_listed < r.observed_at;

UPDATE core_spans AS s SET valid_to = m.gone_at, closed_at = m.sure_at,
    closed_by = CASE WHEN s.bundled THEN 'superseded' ELSE 'withdrawn' END
FROM (
    SELECT s.offer_id, min(c.observed_at) AS gone_at, max(c.observed_at) AS sure_at
    FROM core_spans AS s
    JOIN coverage AS c ON c.provider = s.provider AND c.observed_at > s.last_listed
        AND c.source = CASE WHEN s.bundled THEN '*' ELSE s.source END
    WHERE s.valid_to IS NULL AND s.provider IN (SELECT provider FROM this_run)
    GROUP BY s.offer_id, s.bundled HAVING count(*) >= CASE WHEN s.bundled THEN 1 ELSE 3 END
) AS m WHERE s.offer_id = m.offer_id AND s.valid_to IS NULL;
