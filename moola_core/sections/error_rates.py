"""How often a verdict like this one is wrong: what studies showed whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence

from moola_core.diagnostics.results.error_rates import ErrorRate, error_rates
from moola_core.sections.blocks import Block, Row, Table, Text
from moola_core.sections.context import ReportContext

COLUMNS = (
    "Models of both arms",
    "Windows",
    "n",
    "Folds × repeats",
    "Studies",
    "AUROC",
    "Macro F1",
    "Interval of AUROC holds the truth",
)
WINDOWS = {
    "independent": "no bars shared",
    "stride 84": "each touches the next",
    "chains of 9": "chains of nine that share most of their bars",
}


def rates(context: ReportContext) -> list[Block]:
    """Verdicts in simulated studies: where the arms are equally good, and where they are not."""
    rows = error_rates()
    equal = [row for row in rows if not row.difference]
    other = [row for row in rows if row.difference]
    worst = max(equal, key=lambda row: row.decided)
    text = (
        f"In {sum(row.studies for row in equal):,} simulated studies both arms are equally good and are fitted anew. In AUROC a verdict was given all the "
        f"same in {_of(equal):.1%} of them; 5% are meant, and {worst.decided:.1%} is the most in one kind of study "
        f"({worst.learner}; windows: {_windows(worst)}). Where the true difference in AUROC is {min(row.difference for row in other):.2f} to "
        f"{max(row.difference for row in other):.2f}, {min(row.decided for row in other):.0%} to {max(row.decided for row in other):.0%} of the studies found it."
    )
    return [
        Text(text),
        _table("Arms that are equally good: share of the studies with a verdict", equal),
        _table("A true difference: share of the studies that found it", other),
    ]


def _of(rows: Sequence[ErrorRate]) -> float:
    return sum(row.decided * row.studies for row in rows) / sum(row.studies for row in rows)


def _windows(row: ErrorRate) -> str:
    return WINDOWS.get(row.layout, row.layout)


def _table(title: str, rows: Sequence[ErrorRate]) -> Table:
    cells: tuple[Row, ...] = tuple(
        (
            row.learner
            + (f", {row.classes} classes" if row.classes > 2 else "")
            + (f", classes 1 to {1 / row.rare - 1:.0f}" if row.rare < 0.4 else ""),
            _windows(row),
            f"{row.n}",
            f"{row.folds} × {row.repeats}",
            f"{row.studies:,}",
            f"{row.decided:.1%}",
            f"{row.f1_decided:.1%}",
            f"{row.coverage:.1%}",
        )
        for row in rows
    )
    return Table(title, COLUMNS, cells, "From benchmarks/verdicts.py; docs/methods.md says how they were made.")
