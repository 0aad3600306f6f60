"""Starting runs: what a launcher promises, the local one, and the worker process."""
