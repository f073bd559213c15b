-- The same for a run that is parsed anew: only prices of runs parsed anew count, since what the earlier parse made of
-- the bodies may be the very fault.
CREATE OR REPLACE TEMP TABLE previous AS
SELECT s.offer_id, any_value(s.crawler) AS crawler, any_value(s.source) AS source,
    arg_max(s.price_per_hour, s.valid_from) AS price_per_hour, max(s.last_listed) AS last_listed
FROM core_spans AS s JOIN this_run AS r ON s.crawler = r.provider AND s.valid_from < r.observed_at
JOIN runs AS k ON k.run_no = s.run_no AND k.revision > 1
GROUP BY s.offer_id;

CREATE OR REPLACE TEMP VIEW known_offers AS
SELECT o.offer_id, o.instance_type, o.offer_key, o.gpu_name_raw, o.region, o.price_kind, o.term_months, o.currency,
    c.accelerator_id, c.candidates, c.family, c.gpu_count
FROM raw_offers AS o JOIN core_offers AS c USING (offer_id)
WHERE o.offer_id IN (SELECT offer_id FROM previous);
