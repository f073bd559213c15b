"""View models built from the market and from the recommender: one module per kind of page."""
