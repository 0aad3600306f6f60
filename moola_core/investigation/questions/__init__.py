"""The questions, a module a kind. A new module is imported here, which registers its questions."""

from moola_core.investigation.questions import data, final, labels, learning, networks, pretraining, search

__all__ = ["data", "final", "labels", "learning", "networks", "pretraining", "search"]
