-- Prices that an offer did not have before. state_id is stable, so a price that comes back is found again.
CREATE OR REPLACE TEMP TABLE stating AS
SELECT row_no, run_no, offer_id, provider, source, price_raw, price_unit, tax_rate, upfront_raw, currency, available,
    price_per_hour, source_url, body_sha256, status = 'accepted' AS accepted,
    md5_number_lower(concat_ws(chr(31), offer_id::VARCHAR, price_raw, price_unit, coalesce(tax_rate::VARCHAR, ''),
        coalesce(upfront_raw, ''), coalesce(available::VARCHAR, ''), coalesce(price_per_hour::VARCHAR, ''))) AS state_id
FROM verdicts WHERE status <> 'rejected' AND NOT is_repeat;

INSERT INTO raw_states
SELECT $first_state - 1 + row_number() OVER (ORDER BY row_no), state_id, offer_id, provider, source, price_raw,
    price_unit, tax_rate, upfront_raw, currency, available, price_per_hour, run_no
FROM (SELECT * FROM stating QUALIFY row_number() OVER (PARTITION BY state_id ORDER BY run_no, row_no) = 1) AS n
WHERE NOT EXISTS (FROM raw_states AS k WHERE k.state_id = n.state_id);
