-- Grid carbon as it is published, from a run's own file.
SELECT c.provider, c.region, c.source, p.grid_zone, p.country, c.location,
    TRY_CAST(c.intensity_raw AS DOUBLE) * u.grams AS g_co2e_per_kwh, c.carbon_free_share, c.basis, c.period,
    c.observed_at, c.note, c.source_url
FROM read_parquet($file, file_row_number = true) AS c LEFT JOIN carbon_units AS u USING (intensity_unit)
LEFT JOIN carbon_places AS p ON p.region = c.region AND p.provider IS NOT DISTINCT FROM c.provider
ORDER BY file_row_number
