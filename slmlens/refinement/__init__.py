"""S6: what became of a plan."""
