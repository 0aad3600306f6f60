"""Folds, losses, gradients, the epoch loop, and cross-validated fits. Emits events; knows nothing of files."""
