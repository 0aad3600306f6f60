"""Folds, losses, gradients, the one training step, and cross-validated fits. Emits events; knows nothing of files."""
