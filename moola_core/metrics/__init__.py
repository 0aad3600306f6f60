"""Plain functions of arrays: what a set of predictions is worth."""
