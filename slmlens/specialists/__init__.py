"""S5: one task becomes a dataset, and a small model tuned on it."""
