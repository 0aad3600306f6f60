"""Spans of a window: which there are, how labels scatter about them, and what probabilities of spans say."""
