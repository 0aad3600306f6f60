"""The networks: encoder, heads, and their weights on disk."""
