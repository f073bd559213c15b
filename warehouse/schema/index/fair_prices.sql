-- percent: how far the price lies above (+) or below (-) its fair price. A marketplace listing within 35 % is never
-- called cheap or dear.
CREATE TABLE market.fair_prices AS
SELECT o.offer_id, f.fair_usd_per_gpu_hour, f.p10_usd_per_gpu_hour, f.p90_usd_per_gpu_hour,
    100 * (o.usd / f.fair_usd_per_gpu_hour - 1) AS percent, CASE
        WHEN o.marketplace AND abs(o.usd / f.fair_usd_per_gpu_hour - 1) <= 0.35 THEN 'fair'
        WHEN o.usd < f.p10_usd_per_gpu_hour THEN 'cheap' WHEN o.usd > f.p90_usd_per_gpu_hour THEN 'dear' ELSE 'fair' END AS verdict,
    CASE WHEN f.peers >= $fewest THEN 'accelerator' ELSE 'hardware' END AS basis, f.peers::INTEGER AS peers
FROM fair_offers AS o
JOIN fair_cells AS c USING (provider, part, gpu_count, kind_term, country, continent, marketplace, fabric, step)
JOIN fair_table AS f USING (cell_no)
ORDER BY o.offer_id
