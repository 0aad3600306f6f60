"""Forests of scikit-learn as a few plain arrays: storing every tree as an object of its own takes seconds."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.tree import ExtraTreeClassifier, ExtraTreeRegressor
from sklearn.tree._tree import Tree

FOREST = "forest"
KINDS = {
    "ExtraTreesClassifier": (ExtraTreesClassifier, ExtraTreeClassifier),
    "ExtraTreesRegressor": (ExtraTreesRegressor, ExtraTreeRegressor),
}


def is_forest(model: object) -> bool:
    """Whether `pack` takes it."""
    return type(model).__name__ in KINDS


def pack(forest: Any) -> dict[str, Any]:
    """A fitted forest as its parameters and arrays: the nodes of all trees one after another."""
    states = [tree.tree_.__getstate__() for tree in forest.estimators_]
    nodes = np.concatenate([state["nodes"] for state in states])
    return {
        FOREST: type(forest).__name__,
        "parameters": forest.get_params(),
        "shape": [int(forest.n_features_in_), int(forest.n_outputs_)],
        "classes": getattr(forest, "classes_", None),
        "node_count": np.array([state["node_count"] for state in states]),
        "max_depth": np.array([state["max_depth"] for state in states]),
        "values": np.concatenate([state["values"] for state in states]),
        **{f"nodes.{name}": nodes[name] for name in nodes.dtype.names},
    }


def unpack(content: dict[str, Any]) -> Any:
    """The forest that `pack` was given; it predicts the same."""
    forest_kind, tree_kind = KINDS[content[FOREST]]
    forest = forest_kind(**content["parameters"])
    features, outputs = content["shape"]
    classes = content["classes"]
    forest.n_features_in_, forest.n_outputs_ = features, outputs
    if classes is not None:
        forest.classes_, forest.n_classes_ = classes, len(classes)
    fields = [name.removeprefix("nodes.") for name in content if name.startswith("nodes.")]
    nodes = np.empty(len(content["values"]), _node_type())
    for name in fields:
        nodes[name] = content[f"nodes.{name}"]
    counts = np.full(outputs, 1 if classes is None else len(classes), dtype=np.intp)
    ends = content["node_count"].cumsum()
    forest.estimators_ = []
    for end, count, depth in zip(ends, content["node_count"], content["max_depth"], strict=True):
        tree = Tree(features, counts, outputs)
        own = slice(end - count, end)
        tree.__setstate__(
            {
                "max_depth": int(depth),
                "node_count": int(count),
                "nodes": nodes[own].copy(),
                "values": content["values"][own].copy(),
            }
        )
        member = tree_kind()
        member.tree_, member.n_features_in_, member.n_outputs_ = tree, features, outputs
        if classes is not None:
            member.classes_, member.n_classes_ = classes, len(classes)
        forest.estimators_.append(member)
    return forest


def _node_type() -> np.dtype:
    """The type of a node in the installed scikit-learn."""
    return Tree(1, np.ones(1, dtype=np.intp), 1).__getstate__()["nodes"].dtype
