"""Where in the data a run is worse: parts of the windows, with the false discovery rate over all that were searched."""

from __future__ import annotations

from moola_core.diagnostics.results import Diagnosis
from moola_core.sections.blocks import Block, Link, Links, Row, Table, Text
from moola_core.sections.context import ReportContext
from moola_core.sections.doctor import diagnosis

SHOWN, MOST_LINKS = 12, 5
RATE = 0.05


def weak_slices(context: ReportContext) -> list[Block] | str:
    """The parts in which class or pointer are worse than in the rest, the surest first, and windows of the first one."""
    result = diagnosis(context)
    if isinstance(result, str):
        return result
    report: Diagnosis = result.value
    slices = report.slices or ()
    if not slices:
        return "Parts of the windows are searched of cross-validated runs, by the doctor of this version. Run the checks again."
    rows: tuple[Row, ...] = tuple(
        (
            one.part,
            "AUROC of the class" if one.what == "class" else "error of the center, bars",
            result.number("slices", i, "n", form="d"),
            *(result.number("slices", i, name, form=".2f") for name in ("inside", "outside")),
            result.number("slices", i, "q", form=".2g"),
        )
        for i, one in enumerate(slices[:SHOWN])
    )
    sure = [one for one in slices if one.q <= RATE]
    text = f"{len(slices)} parts were compared with the rest; {len(sure) or 'none'} at a false discovery rate of {RATE:.0%}."
    blocks: list[Block] = [
        Text(text),
        Table("", ("Windows", "What", "n", "In them", "Elsewhere", "False discovery rate"), rows),
    ]
    if sure and sure[0].windows:
        links = [Link(name, "windows", (("window", name),)) for name in sure[0].windows[:MOST_LINKS]]
        blocks.append(Links(tuple(links), f"Windows of {sure[0].part}"))
    return blocks
