SELECT c.log_price, c.offers, c.part, c.provider, c.kind_term, c.country, c.continent, c.fabric, c.gpu_count,
    coalesce(avg(a.memory_gb), 'nan') AS memory_gb, coalesce(avg(a.memory_bandwidth_gb_per_s), 'nan') AS bandwidth,
    coalesce(avg(a.dense_bf16_tflops), avg(a.dense_fp16_tflops), 'nan') AS tflops
FROM fair_cells AS c LEFT JOIN market.accelerators AS a ON list_contains(c.candidates, a.accelerator_id)
GROUP BY c.cell_no, c.log_price, c.offers, c.part, c.provider, c.kind_term, c.country, c.continent, c.fabric, c.gpu_count
ORDER BY c.cell_no
