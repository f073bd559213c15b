-- R1, hold the run: it says that it comes from the future. Its clock is wrong, and so would be every age.
SELECT run_no, NULL::INTEGER AS row_no, 'R1' AS rule, 'B' AS level,
    format('the run is dated {}, after it was loaded ({}): the clock is wrong',
        strftime(observed_at, '%Y-%m-%d %H:%M'), strftime(loaded_at, '%Y-%m-%d %H:%M')) AS evidence
FROM this_run WHERE observed_at > loaded_at + INTERVAL 1 HOUR
