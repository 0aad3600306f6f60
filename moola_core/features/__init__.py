"""Bars to per-bar columns to windows."""
