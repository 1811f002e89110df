"""S3, S4 by hand: what a person changes in a notebook, without the widgets that show it."""
