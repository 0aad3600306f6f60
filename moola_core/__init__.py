"""moola: did pre-training help or hurt a small-data model, why, and what to try next."""

__version__ = "0.1.0"
