-- Exchange rates that a mix-up of currencies would show as: of this run's currencies, and only where the rate
-- is far enough from 1 not to look like a repricing.
CREATE OR REPLACE TEMP TABLE handled_rates AS
SELECT currency, max(usd_per_unit) AS usd_per_unit FROM fx_days
WHERE currency <> 'USD' AND (usd_per_unit > 2 OR usd_per_unit < 0.5)
GROUP BY currency;
