-- Numbers only, market by market: fetched as arrays. log_usd is for the levels, at the rate of the day.
WITH dollars AS (
    SELECT c.currency, c.rate_date, d.units_per_eur / c.units_per_eur AS usd_per_unit
    FROM fx_rates AS c JOIN fx_rates AS d ON d.rate_date = c.rate_date AND d.currency = 'USD'
    UNION ALL
    SELECT 'EUR', rate_date, units_per_eur FROM fx_rates WHERE currency = 'USD'
),
priced AS (
    SELECT r.*, ln(r.price) AS log_price, ln(r.price * coalesce(f.usd_per_unit, CASE WHEN r.currency = 'USD' THEN 1 END) / r.gpu_count)
        AS log_usd
    FROM index_rows AS r ASOF LEFT JOIN dollars AS f ON f.currency = r.currency AND r.day >= f.rate_date
)
SELECT m.market_no, dense_rank() OVER (PARTITION BY m.market_no ORDER BY p.offer_id)::BIGINT - 1 AS offer_no,
    (p.day - DATE '0001-01-01')::BIGINT + 1 AS day, n.provider_no,
    p.log_price, coalesce(p.log_usd, 'nan'::DOUBLE) AS log_usd, p.hold_days::BIGINT AS hold_days
FROM priced AS p JOIN index_markets AS m ON m.price_kind = p.price_kind
    AND m.name = CASE WHEN m.scope = 'family' THEN p.family ELSE p.accelerator_id END
JOIN (SELECT provider, row_number() OVER (ORDER BY provider) - 1 AS provider_no FROM (SELECT DISTINCT provider FROM index_rows)) AS n
    ON n.provider = p.provider
ORDER BY m.market_no
