"""One summary of a run, and its renderings: HTML here, others beside it."""
