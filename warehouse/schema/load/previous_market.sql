-- The same from the published copy (dry runs).
CREATE OR REPLACE TEMP TABLE previous AS
SELECT s.offer_id, arg_max(s.price_per_hour, s.valid_from)::DECIMAL(20, 10) AS price_per_hour
FROM market.spans AS s JOIN market.offer_keys AS k USING (offer_id)
JOIN this_run AS r ON k.crawler = r.provider AND s.valid_from < r.observed_at
GROUP BY s.offer_id;
