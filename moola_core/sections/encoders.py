"""What the arms of a comparison were pre-trained with, and whether that pre-training learned anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from moola_core.diagnostics.results import Comparison, PretrainReport
from moola_core.diagnostics.results.interval import OPEN, SUPPORTED, UNMEASURED
from moola_core.runs.record import FIT, run_of
from moola_core.runs.store import Run
from moola_core.sections import comparison_text, headlines
from moola_core.sections.blocks import Text
from moola_core.sections.context import ReportContext
from moola_core.sections.headline import Headline, judges
from moola_core.specs.choices import OBJECTIVES


@dataclass(frozen=True)
class Encoders:
    """Encoders that arms start from in turn: the `arms`, the `names` of the checkpoints, and the pre-training runs that are still there.

    fitted: the fine-tuning runs whose fits the encoders are.
    """

    arms: tuple[str, ...]
    names: tuple[str, ...]
    runs: tuple[Run, ...]
    fitted: tuple[str, ...] = ()

    @property
    def seeds(self) -> int:
        """How many seeds they have; as many as there are encoders where their runs are gone."""
        return len({run.spec.training.seed for run in self.runs}) or len(self.names)


def of_arms(context: ReportContext, comparison: Comparison) -> list[Encoders]:
    """Which networks start from which encoders, each set of encoders once."""
    users: dict[tuple[str, ...], list[str]] = {}
    for arm in comparison_text.networks(comparison):
        run = context.other(arm.run_id)
        transfer = getattr(run.spec, "transfer", None) if run is not None else None
        if transfer is not None and transfer.encoders:
            users.setdefault(transfer.encoders, []).append(arm.name)
    groups = []
    for names, arms in users.items():
        runs = [run for name in names if (run := context.other(name)) is not None and run.record.kind == "pretrain"]
        fitted = dict.fromkeys(run_of(name) for name in names if FIT.fullmatch(name))
        groups.append(Encoders(tuple(arms), names, tuple(runs), tuple(fitted)))
    return groups


def seeds_of(context: ReportContext, comparison: Comparison) -> int:
    """Of how many seeds the pre-trainings are that arms start from; 0 where none starts from one."""
    return max((group.seeds for group in of_arms(context, comparison) if not group.fitted), default=0)


def blocks(context: ReportContext, comparison: Comparison) -> Iterator[Text]:
    """Of each set of encoders: what was pre-trained, whether it learned, and whether the labels can be read from it."""
    groups = of_arms(context, comparison)
    for group in groups:
        named = f"{', '.join(group.arms)}: " if len(groups) > 1 else ""
        yield Text(f"{named}{_what(group)}", "Start." if group.fitted else "Pre-training.")
        reports = [result.value for run in group.runs if (result := context.result_of(run, "learned")) is not None]
        if reports:
            yield _named(named, of_pretrainings(reports)).block
            probe = reports[0].probe
            if probe is not None:
                verdict = headlines.of_probe(probe)
                first = f"In the first of {len(reports)} pre-trainings: " if len(reports) > 1 else ""
                yield _named(named, replace(verdict, rest=f"{first}{verdict.rest}")).block


def _named(named: str, verdict: Headline) -> Headline:
    return replace(verdict, headline=f"{named}{verdict.headline}")


def _what(group: Encoders) -> str:
    if group.fitted and not group.runs:
        return f"Each fit starts from the encoder of a fit of {', '.join(group.fitted)}, which learned from the labels of its training windows."
    if not group.runs:
        return f"The encoder comes from {', '.join(group.names)}, which names no pre-training run of this store: what it was trained on is not shown."
    spec: Any = group.runs[0].spec
    windows = sorted({run.record.facts.train for run in group.runs if run.record.facts.train is not None})
    sentence = OBJECTIVES.get(spec.objective.name, "")
    text = f"Objective {spec.objective.name}{f' ({sentence})' if sentence else ''}"
    if windows:
        count = f"{windows[0]:,}" if len(windows) == 1 else f"{windows[0]:,} to {windows[-1]:,}"
        text += f", on {count} windows of {spec.sampling.window_bars} bars"
    text += ", whose bars are in random order" if spec.sampling.shuffled else ""
    if group.seeds == 1:
        return f"{text}, with one seed: the verdict is about this one pre-training."
    return f"{text}, with {group.seeds} seeds, which the repeats start from in turn."


@judges
def of_pretrainings(reports: Sequence[PretrainReport]) -> Headline:
    """Whether pre-training learned its task, by all of its seeds: supported or opposed where each of them says so."""
    each = [headlines.of_pretraining(report) for report in reports]
    first = each[0]
    if len(each) == 1:
        return first
    claims = tuple(claim for one in each for claim in one.claims)
    same = all((one.outcome, one.headline) == (first.outcome, first.headline) for one in each)
    if same and first.outcome != OPEN:
        return Headline(
            first.headline, f"So say all {len(each)} pre-trainings. The first: {first.rest}", first.outcome, claims
        )
    if UNMEASURED in {one.outcome for one in each}:
        return Headline("Did it learn its task?", headlines.OLDER)
    learned = sum(one.outcome == SUPPORTED for one in each)
    rest = f"Shown to have learned it: {learned} of {len(each)} pre-trainings. The first: {first.rest}"
    return Headline("Whether pre-training learned its task cannot be told.", rest, OPEN, claims)
