-- R5, the same offer day on day: more than 1.25x W; more than 1.5x held until the next run says the same (Q1) or a
-- second source does; more than 3x until two confirm it (Q2). Where the last price is over 30 days old this is no day
-- on day any more: only more than 3x waits, for one confirmation.
SELECT row_no, 'R5' AS rule,
    CASE WHEN is_old THEN CASE WHEN size > ln(3) THEN 'Q1' ELSE 'W' END
        WHEN size > ln(3) THEN 'Q2' WHEN size > ln(1.5) THEN 'Q1' ELSE 'W' END AS level,
    format('{:.6g} after {:.6g} {} per hour is {:.3g}x, last listed {}', new_price, old_price, currency, new_price / old_price,
        strftime(last_listed, '%Y-%m-%d')) AS evidence
FROM (
    SELECT c.row_no, c.currency, c.price_per_hour::DOUBLE AS new_price, p.price_per_hour::DOUBLE AS old_price, p.last_listed,
        abs(ln(c.price_per_hour::DOUBLE / p.price_per_hour::DOUBLE)) AS size,
        c.run_observed_at > p.last_listed + INTERVAL 30 DAY AS is_old
    FROM cleaned AS c JOIN previous AS p USING (offer_id)
    WHERE c.price_per_hour <> p.price_per_hour AND c.price_per_hour > 0 AND p.price_per_hour > 0
        AND NOT coalesce(c.no_gpu, false)
)
WHERE size > ln(1.25)
