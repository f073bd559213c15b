-- One run's rows of one kind. {columns}, {key}, {raw} and {sightings} are names of ours. A row said twice in a
-- run counts once: the last one. A wording that is known already adds only a sighting.
CREATE OR REPLACE TEMP TABLE reference_rows AS
SELECT {columns}, body_sha256, md5_number_lower(ROW({columns})::VARCHAR) AS state_hash
FROM read_parquet($file, file_row_number = true)
QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY file_row_number DESC) = 1;

INSERT INTO {raw} BY NAME
SELECT row_number() OVER () + (SELECT coalesce(max(state_no), 0) FROM {raw}) AS state_no, {columns}, state_hash,
    $run_no AS run_no
FROM reference_rows AS n
WHERE NOT EXISTS (FROM {raw} AS k WHERE k.state_hash = n.state_hash AND k.source = n.source);

INSERT INTO {sightings}
SELECT $run_no, k.state_no, n.body_sha256
FROM reference_rows AS n JOIN {raw} AS k ON k.state_hash = n.state_hash AND k.source = n.source;
