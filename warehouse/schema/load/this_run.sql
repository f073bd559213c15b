-- The runs being staged, from a JSON list (a handful of rows, or the bundled runs).
CREATE OR REPLACE TEMP TABLE this_run AS
SELECT unnest(from_json($rows::JSON, '[{"run_no":"INTEGER","run_id":"VARCHAR","provider":"VARCHAR",
    "observed_at":"TIMESTAMPTZ","loaded_at":"TIMESTAMPTZ","origin":"VARCHAR","kind":"VARCHAR","title":"VARCHAR",
    "first_party":"BOOLEAN","limit_low":"DOUBLE","limit_high":"DOUBLE","expected_low":"DOUBLE","expected_high":"DOUBLE",
    "counts_rows":"BOOLEAN","sources_key":"VARCHAR","bulk_provider":"VARCHAR","bulk_day":"DATE",
    "bodies":"INTEGER","body_bytes":"BIGINT","body_digest":"VARCHAR","unused_fields":"VARCHAR","learnt_at":"TIMESTAMPTZ"}]'),
    recursive := true);
