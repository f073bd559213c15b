-- R4, hold: the price moved by a factor that a mix-up of units makes, and the evidence names the suspect.
-- Against the offer's own last price every factor counts (docs/decisions.md says what was left out and why);
-- against the market median only factors of 8 and more, for honest prices of one part spread 4x to 6x; and
-- where R3 holds a price anyway, the factor that explains it best is named. Released after two confirmations only
-- where the new price is the one that fits the market (within 3x, and nearer than the old one), or where the factor
-- is small (a price may halve for a machine of two GPUs); else a person decides.
WITH compared AS (
    SELECT c.row_no, c.gpu_count, c.currency, c.run_no,
        c.price_per_hour::DOUBLE / p.price_per_hour::DOUBLE AS own_ratio, p.price_per_hour AS old_price,
        c.price_per_hour AS new_price, c.price_usd_per_gpu_hour AS usd, m.mid_median AS median,
        CASE WHEN c.partition IS NULL AND c.price_usd_per_gpu_hour NOT BETWEEN 0.5 * m.low_seen AND 2 * m.high_seen
            THEN c.price_usd_per_gpu_hour / m.mid_median END AS market_ratio
    FROM cleaned AS c
    LEFT JOIN previous AS p USING (offer_id)
    LEFT JOIN row_medians AS m USING (row_no)
    WHERE c.price_per_hour > 0 AND NOT coalesce(c.no_gpu, false)
        AND (c.price_per_hour <> p.price_per_hour
            OR (p.price_per_hour IS NULL AND c.partition IS NULL
                AND c.price_usd_per_gpu_hour / m.mid_median NOT BETWEEN 1 / 7.8 AND 7.8))
),
taxed AS (
    SELECT c.run_no, v.factor, count(*) AS moved,
        count(*) >= greatest(2, 0.2 * (SELECT count(*) FROM cleaned AS k WHERE k.run_no = c.run_no)) AS is_mass
    FROM compared AS c, (SELECT unnest([1.19, 1.20, 1.21, 1.22, 1.23, 1.24, 1.25]) AS factor) AS v
    WHERE abs(abs(ln(c.own_ratio)) - ln(v.factor)) <= ln(1.005)
    GROUP BY c.run_no, v.factor
),
suspects AS (
    SELECT row_no, factor, suspect, 0.02 AS slack, false AS own_only, false AS is_mass FROM compared, unit_factors
    UNION ALL
    SELECT row_no, gpu_count, format('{:g}, the GPU count: per GPU or per machine', gpu_count), 0.02, false, false
    FROM compared WHERE gpu_count >= 1.9
    UNION ALL
    SELECT row_no, usd_per_unit, format('{:.4g}, the {} rate', usd_per_unit, f.currency), 0.02, false, false
    FROM compared, handled_rates AS f
    UNION ALL
    SELECT c.row_no, t.factor, format('{:.2f}, a VAT rate', t.factor), 0.005, true, t.is_mass AND t.moved >= 5
    FROM compared AS c JOIN taxed AS t USING (run_no)
    WHERE c.currency <> 'USD' OR t.is_mass
),
hits AS (
    SELECT c.row_no, s.suspect, s.factor, s.is_mass, c.usd / c.own_ratio AS old_usd, c.usd, c.median,
        abs(abs(ln(c.own_ratio)) - abs(ln(s.factor))) AS miss, 1 AS preference,
        format('{:.6g} after {:.6g} is {:.4g}x', c.new_price::DOUBLE, c.old_price::DOUBLE, c.own_ratio) AS what
    FROM compared AS c JOIN suspects AS s USING (row_no)
    WHERE abs(abs(ln(c.own_ratio)) - abs(ln(s.factor))) <= ln(1 + s.slack)
    UNION ALL
    SELECT c.row_no, s.suspect, s.factor, false, NULL, c.usd, c.median,
        abs(abs(ln(c.market_ratio)) - abs(ln(s.factor))), 2,
        format('{:.4g} USD per GPU-hour is {:.4g}x the median {:.4g}', c.usd, c.market_ratio, c.median)
    FROM compared AS c JOIN suspects AS s USING (row_no)
    WHERE c.old_price IS NULL AND NOT s.own_only AND abs(ln(s.factor)) >= ln(7.99)
        AND (abs(abs(ln(c.market_ratio)) - abs(ln(s.factor))) <= ln(1 + s.slack)
            OR (abs(ln(c.market_ratio)) > ln(10)
                AND abs(abs(ln(c.market_ratio)) - abs(ln(s.factor))) <= ln(1.5)))
)
SELECT row_no, 'R4' AS rule,
    CASE WHEN preference = 2 OR is_mass THEN 'Q'
        WHEN usd / median BETWEEN 1 / 3.0 AND 3.0 AND (factor <= 4.1 OR abs(ln(usd / median)) < abs(ln(old_usd / median))) THEN 'Q2'
        WHEN median IS NULL AND factor <= 4.1 THEN 'Q2'
        ELSE 'Q' END AS level,
    what || CASE WHEN miss <= ln(1.0201) THEN ': suspect factor ' ELSE ': nearest suspect factor ' END || suspect AS evidence
FROM hits
QUALIFY row_number() OVER (PARTITION BY row_no ORDER BY preference, miss, suspect) = 1
