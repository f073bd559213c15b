-- The same for one run newer than all others of its provider, without reading the past: what is unchanged is
-- seen again, what differs closes its span and opens one, and what was missed often enough is closed.
-- Statements that touch most rows go through the table in its own order: an update in another order is slow.
CREATE OR REPLACE TEMP TABLE fresh AS
SELECT offer_id, crawler, source, run_no, price_per_hour, currency, available, state_no FROM sighted WHERE accepted;

CREATE OR REPLACE TEMP TABLE stays AS
SELECT f.offer_id, f.state_no, s.state_no AS old_state_no
FROM fresh AS f JOIN core_spans AS s ON s.offer_id = f.offer_id AND s.valid_to IS NULL
    AND s.price_per_hour = f.price_per_hour AND s.available IS NOT DISTINCT FROM f.available;

CREATE OR REPLACE TEMP TABLE unconfirmed AS
SELECT offer_id FROM core_spans
WHERE crawler = (SELECT provider FROM this_run) AND valid_to IS NULL
    AND offer_id NOT IN (SELECT offer_id FROM stays);

CREATE OR REPLACE TEMP TABLE starts AS
SELECT f.*, r.observed_at AS moment, r.origin = 'bundled' AS bundled, r.learnt_at
FROM fresh AS f JOIN this_run AS r USING (run_no) WHERE f.offer_id NOT IN (SELECT offer_id FROM stays);

UPDATE core_spans SET last_seen = (SELECT observed_at FROM this_run), last_listed = (SELECT observed_at FROM this_run),
    last_run_no = (SELECT run_no FROM this_run), bundled = false
WHERE crawler = (SELECT provider FROM this_run) AND valid_to IS NULL
    AND offer_id NOT IN (SELECT offer_id FROM unconfirmed);

UPDATE core_spans AS s SET state_no = f.state_no
FROM (SELECT * FROM stays WHERE state_no <> old_state_no) AS f WHERE s.offer_id = f.offer_id AND s.valid_to IS NULL;

UPDATE core_spans AS s SET valid_to = f.moment, closed_by = 'price', closed_at = f.moment, end_learnt_at = f.learnt_at
FROM starts AS f WHERE s.offer_id = f.offer_id AND s.valid_to IS NULL;

INSERT INTO core_spans BY NAME
SELECT offer_id, crawler, source, moment AS valid_from, moment AS last_seen, moment AS last_listed, price_per_hour,
    currency, available, state_no, run_no, run_no AS last_run_no, bundled, learnt_at
FROM starts ORDER BY offer_id;

UPDATE core_spans AS s SET last_listed = r.observed_at
FROM sighted AS n JOIN this_run AS r USING (run_no)
WHERE NOT n.accepted AND s.offer_id = n.offer_id AND s.valid_to IS NULL AND s.last_listed < r.observed_at;

UPDATE core_spans AS s SET valid_to = m.gone_at, closed_at = m.sure_at,
    end_learnt_at = (SELECT learnt_at FROM this_run), closed_by = CASE WHEN s.bundled THEN 'superseded' ELSE 'withdrawn' END
FROM (
    SELECT s.offer_id, min(c.observed_at) AS gone_at, max(c.observed_at) AS sure_at
    FROM core_spans AS s
    JOIN coverage AS c ON c.provider = s.crawler AND c.observed_at > s.last_listed
        AND c.source = CASE WHEN s.bundled THEN '*' ELSE s.source END
    WHERE s.valid_to IS NULL AND s.crawler = (SELECT provider FROM this_run)
    GROUP BY s.offer_id, s.bundled HAVING count(*) >= CASE WHEN s.bundled THEN 1 ELSE 3 END
) AS m WHERE s.offer_id = m.offer_id AND s.valid_to IS NULL;
