-- Token prices as they are published, from a run's own file.
SELECT t.provider, t.model, t.source, t.mode,
    TRY_CAST(t.input_raw AS DOUBLE) * 1e6 / u.tokens AS input_usd_per_mtok,
    TRY_CAST(t.output_raw AS DOUBLE) * 1e6 / u.tokens AS output_usd_per_mtok,
    TRY_CAST(t.cached_input_raw AS DOUBLE) * 1e6 / u.tokens AS cached_input_usd_per_mtok,
    t.context_length, t.retired_on, t.first_party, t.observed_at, t.note, t.source_url
FROM read_parquet($file, file_row_number = true) AS t LEFT JOIN token_units AS u USING (price_unit)
ORDER BY file_row_number
