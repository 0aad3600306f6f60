"""Reports: what a run's stored results say, as one file that travels."""
