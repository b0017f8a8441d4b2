"""Training: one loop for all backends."""
