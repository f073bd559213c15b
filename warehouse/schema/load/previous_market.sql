-- The same from the published copy (dry runs).
CREATE OR REPLACE TEMP TABLE previous AS
SELECT s.offer_id, any_value(k.crawler) AS crawler, any_value(k.source) AS source,
    arg_max(s.price_per_hour, s.valid_from)::DECIMAL(20, 10) AS price_per_hour, max(s.last_seen) AS last_listed
FROM market.spans AS s JOIN market.offer_keys AS k USING (offer_id)
JOIN this_run AS r ON k.crawler = r.provider AND s.valid_from < r.observed_at
GROUP BY s.offer_id;

CREATE OR REPLACE TEMP VIEW known_offers AS
SELECT offer_id, instance_type, offer_key, gpu_name_raw, region, price_kind, term_months, currency, accelerator_id,
    candidates, family, gpu_count
FROM market.offer_keys;
