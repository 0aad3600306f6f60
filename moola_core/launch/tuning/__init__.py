"""Measuring what this host does, for the figures that `auto` reads."""
