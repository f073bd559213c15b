-- Exchange rates of a run; what is known for a day and currency already is not changed.
INSERT INTO fx_rates
SELECT rate_date, currency, any_value(TRY_CAST(units_per_eur AS DOUBLE)), any_value(source_url), $origin
FROM read_parquet($file) AS n
WHERE TRY_CAST(units_per_eur AS DOUBLE) > 0 AND regexp_full_match(currency, '[A-Z]{3}')
    AND NOT EXISTS (FROM fx_rates AS k WHERE k.rate_date = n.rate_date AND k.currency = n.currency)
GROUP BY rate_date, currency;
