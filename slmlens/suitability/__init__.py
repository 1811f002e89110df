"""S4: the evidence that a small model could hold a task."""
