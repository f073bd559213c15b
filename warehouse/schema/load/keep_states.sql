-- Prices that an offer did not have before; a price that comes back is found again.
CREATE OR REPLACE TEMP TABLE stating AS
SELECT v.row_no, v.run_no, v.offer_id, v.run_provider AS crawler, v.source, v.source_url, v.body_sha256, v.currency, v.available,
    v.price_per_hour, v.status = 'accepted' AS accepted, v.status IN ('accepted', 'waiting') AS sound, k.state_no
FROM verdicts AS v
LEFT JOIN raw_states AS k ON k.offer_id = v.offer_id AND k.price_raw IS NOT DISTINCT FROM v.price_raw
    AND k.price_unit IS NOT DISTINCT FROM v.price_unit AND k.tax_rate IS NOT DISTINCT FROM v.tax_rate
    AND k.upfront_raw IS NOT DISTINCT FROM v.upfront_raw AND k.available IS NOT DISTINCT FROM v.available
    AND k.price_per_hour IS NOT DISTINCT FROM v.price_per_hour
WHERE v.status <> 'rejected' AND NOT v.is_repeat;

CREATE OR REPLACE TEMP TABLE first_stated AS
SELECT $first_state - 1 + row_number() OVER (ORDER BY row_no) AS state_no, row_no
FROM stating WHERE state_no IS NULL;

UPDATE stating AS s SET state_no = f.state_no FROM first_stated AS f WHERE f.row_no = s.row_no;

INSERT INTO raw_states
SELECT f.state_no, v.offer_id, v.run_provider, v.source, v.price_raw, v.price_unit, v.tax_rate, v.upfront_raw, v.currency,
    v.available, v.price_per_hour, v.run_no
FROM cleaned AS v JOIN first_stated AS f USING (row_no) ORDER BY f.state_no;
