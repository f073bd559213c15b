SELECT offer_id, fair_usd_per_gpu_hour AS fair, p10_usd_per_gpu_hour AS low, p90_usd_per_gpu_hour AS high,
       percent, verdict, basis, peers
FROM fair_prices
