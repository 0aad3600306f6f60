"""Bars and labelled windows: schemas, loaders, checks, and the demo market."""
