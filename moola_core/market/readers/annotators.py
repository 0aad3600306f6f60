"""Several annotators of one task: whose labels count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from moola_core.market.checks import listed
from moola_core.market.questions import Question

Given = Sequence[tuple[str, list[dict[str, Any]]]]


def agreed(given: Given, whose_counts: str | None) -> tuple[list[dict[str, Any]], bool, bool]:
    """The rows that count of those that each person gives, whether the classes differ, and whether only the expansions do.

    whose_counts: `majority`, `all`, or a person; None takes the last, which is for a caller that asks where the classes differ.
    """
    if not given:
        return [], False, False
    labels = [_classes(rows) for _, rows in given]
    clash = any(one != labels[0] for one in labels)
    if whose_counts == "all" and len(given) > 1:
        each = [row | {"window_id": f"{row['window_id']}-{who}", "source": who} for who, rows in given for row in rows]
        return each, clash, False
    if whose_counts == "majority" and clash:
        (most, count), (_, next_count), *_ = Counter(labels).most_common()
        return given[labels.index(most)][1] if count > next_count else [], clash, False
    own = [rows for who, rows in given if who == whose_counts]
    if own:
        return own[-1], clash, False
    last = given[-1][1]
    return last, clash, not clash and any(rows != last for _, rows in given)


def _classes(rows: list[dict[str, Any]]) -> tuple:
    """What is compared between annotators: the classes, of several windows in their order."""
    ordered = sorted(rows, key=lambda row: str(row.get("start_time", "")))
    return tuple(row["label"] for row in ordered)


def whose(tasks: Sequence[str], people: Mapping[str, int]) -> Question:
    """The question whose labels count in the tasks about which the annotators disagree."""
    answers = {"majority": "the class that most of them give; tasks without one are left out"}
    answers |= {person: f"annotator {person}, who labelled {count} of them" for person, count in people.items()}
    answers["all"] = "every annotation as a window of its own"
    return Question(
        "annotator",
        f"The annotators of {named(tasks)} give different classes, and ground truth does not decide.",
        answers,
        "--annotator",
    )


def named(names: Sequence[str]) -> str:
    """The tasks by their ids, the first few of many."""
    return f"{len(names)} task{'s' if len(names) > 1 else ''} (id {listed(names)})"
