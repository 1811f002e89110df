"""S4: what a migration is worth."""
