-- USD per unit of each currency on each day of fx_needed: the latest rate on or before that day; where there
-- is none before, the earliest there is (is_early: the caller warns).
CREATE OR REPLACE TEMP TABLE fx_days AS
WITH dollars AS (
    SELECT c.currency, c.rate_date, d.units_per_eur / c.units_per_eur AS usd_per_unit
    FROM fx_rates AS c JOIN fx_rates AS d ON d.rate_date = c.rate_date AND d.currency = 'USD'
    UNION ALL
    SELECT 'EUR', rate_date, units_per_eur FROM fx_rates WHERE currency = 'USD'
),
earliest AS (
    SELECT currency, min(rate_date) AS rate_date, arg_min(usd_per_unit, rate_date) AS usd_per_unit
    FROM dollars GROUP BY currency
)
SELECT n.currency, n.day,
    CASE WHEN n.currency = 'USD' THEN 1.0 ELSE coalesce(d.usd_per_unit, e.usd_per_unit) END AS usd_per_unit,
    CASE WHEN n.currency <> 'USD' THEN coalesce(d.rate_date, e.rate_date) END AS rate_date,
    n.currency <> 'USD' AND d.usd_per_unit IS NULL AND e.usd_per_unit IS NOT NULL AS is_early
FROM (SELECT DISTINCT currency, day FROM fx_needed WHERE currency IS NOT NULL AND day IS NOT NULL) AS n
ASOF LEFT JOIN dollars AS d ON d.currency = n.currency AND d.rate_date <= n.day
LEFT JOIN earliest AS e ON e.currency = n.currency;
