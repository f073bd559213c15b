-- The same while dated lists are imported day by day: spans are derived once, at the end, so the last prices of the days
-- before stand in history_last; what other runs had said earlier is in the spans.
CREATE OR REPLACE TEMP TABLE previous AS
SELECT p.offer_id, any_value(p.crawler) AS crawler, any_value(p.source) AS source,
    arg_max(p.price_per_hour, p.priced_at) AS price_per_hour, max(p.last_listed) AS last_listed
FROM (
    SELECT h.offer_id, h.crawler, h.source, h.price_per_hour, h.priced_at, h.last_listed
    FROM history_last AS h WHERE h.crawler IN (SELECT provider FROM this_run)
    UNION ALL
    SELECT s.offer_id, s.crawler, s.source, s.price_per_hour, s.valid_from, s.last_listed
    FROM core_spans AS s JOIN this_run AS r ON s.crawler = r.provider AND s.valid_from < r.observed_at
) AS p
GROUP BY p.offer_id;

CREATE OR REPLACE TEMP VIEW known_offers AS
SELECT o.offer_id, o.instance_type, o.offer_key, o.gpu_name_raw, o.region, o.price_kind, o.term_months, o.currency,
    c.accelerator_id, c.candidates, c.family, c.gpu_count
FROM raw_offers AS o JOIN core_offers AS c USING (offer_id);
