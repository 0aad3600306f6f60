"""What a run's stored outputs say about it."""
