CREATE OR REPLACE TEMP TABLE previous (offer_id UBIGINT, crawler VARCHAR, source VARCHAR, price_per_hour DECIMAL(20, 10),
    last_listed TIMESTAMPTZ);

CREATE OR REPLACE TEMP VIEW known_offers AS
SELECT o.offer_id, o.instance_type, o.offer_key, o.gpu_name_raw, o.region, o.price_kind, o.term_months, o.currency,
    c.accelerator_id, c.candidates, c.family, c.gpu_count
FROM raw_offers AS o JOIN core_offers AS c USING (offer_id);
