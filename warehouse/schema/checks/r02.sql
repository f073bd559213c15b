-- R2, hold: what cannot be mapped waits with its reason; nothing is guessed.
SELECT row_no, 'R2' AS rule, 'Q' AS level, reason AS evidence
FROM (
    SELECT row_no, CASE
        WHEN gpu_problem IS NOT NULL THEN gpu_problem
        WHEN place_problem IS NOT NULL THEN place_problem
        WHEN fx_rate IS NULL THEN format('no exchange rate for currency {}', currency)
        END AS reason
    FROM cleaned WHERE NOT coalesce(no_gpu, false)
)
WHERE reason IS NOT NULL
