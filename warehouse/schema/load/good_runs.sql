-- The last 14 good whole runs before each run being staged, of the same provider and the same sources; place 1 is
-- the newest. R7, R8, R10, R12 and R18 measure a run by them.
CREATE OR REPLACE TEMP TABLE good_runs AS
SELECT r.run_no, g.run_no AS good_no, g.observed_at,
    row_number() OVER (PARTITION BY r.run_no ORDER BY g.observed_at DESC, g.run_no DESC)::INTEGER AS place
FROM this_run AS r JOIN runs AS g ON g.provider = r.provider AND g.observed_at < r.observed_at
    AND g.sources_key = r.sources_key
WHERE g.state = 'good' AND NOT g.partial AND g.origin <> 'bundled'
QUALIFY place <= 14;

-- How many of this run's rows have each field (R10).
CREATE OR REPLACE TEMP TABLE field_shares AS
WITH counted AS (
    SELECT run_no, count(*) AS n, count(instance_type) AS instance_type, count(gpu_name_raw) AS gpu_name_raw,
        count(gpu_count_raw) AS gpu_count, count(gpu_memory_gb_raw) AS gpu_memory_gb, count(vcpus) AS vcpus,
        count(memory_gib) AS memory_gib, count(disk_gb) AS disk_gb, count(region) AS region,
        count(interconnect) AS interconnect, count(available) AS available, count(term_months) AS term_months
    FROM cleaned WHERE NOT coalesce(no_gpu, false) GROUP BY run_no
)
SELECT run_no, n::BIGINT AS n, field, filled / n AS share
FROM (UNPIVOT counted ON instance_type, gpu_name_raw, gpu_count, gpu_memory_gb, vcpus, memory_gib, disk_gb, region,
    interconnect, available, term_months INTO NAME field VALUE filled);
