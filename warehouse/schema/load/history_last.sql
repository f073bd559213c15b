-- What this day adds to the last prices: an accepted row its price, a held one only that the offer was listed.
CREATE OR REPLACE TEMP TABLE day_last AS
SELECT s.offer_id, any_value(s.crawler) AS crawler, any_value(s.source) AS source,
    max(s.price_per_hour) FILTER (s.accepted AND a.accepts) AS price_per_hour, max(r.observed_at) AS moment
FROM sighted AS s JOIN this_run AS r USING (run_no) JOIN acceptance AS a USING (run_no)
WHERE a.accepts GROUP BY s.offer_id;

UPDATE history_last AS h SET last_listed = d.moment, price_per_hour = coalesce(d.price_per_hour, h.price_per_hour),
    priced_at = CASE WHEN d.price_per_hour IS NULL THEN h.priced_at ELSE d.moment END
FROM day_last AS d WHERE d.offer_id = h.offer_id;

INSERT INTO history_last
SELECT offer_id, crawler, source, price_per_hour, moment, moment FROM day_last AS d
WHERE price_per_hour IS NOT NULL AND NOT EXISTS (FROM history_last AS h WHERE h.offer_id = d.offer_id);
