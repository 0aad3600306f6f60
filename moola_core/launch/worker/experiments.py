"""The doctor's experiments: the run fitted again with settings set back, on mended data, on windows learned by heart, on a market that is known."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from moola_core.diagnostics.doctor import conclusions, known_market, suspects
from moola_core.diagnostics.repairs import Repair, repairs
from moola_core.diagnostics.results import Diagnosis, Evaluation, Interval
from moola_core.diagnostics.results.doctor import SEVERITIES
from moola_core.diagnostics.results.experiments import Experiment, Experiments, MetricGain, UsualScore
from moola_core.errors import MoolaError, RunError
from moola_core.launch.worker import doctor
from moola_core.launch.worker.children import Children
from moola_core.launch.worker.gains import gains_of_repair, gains_over
from moola_core.launch.worker.labelled import load_labelled
from moola_core.market import frames
from moola_core.market.windows import Windows
from moola_core.presets import PRESETS
from moola_core.runs import codec
from moola_core.runs.store import Run, Store
from moola_core.specs import Data, Finetune, change, parse, settings_diff
from moola_core.specs.choices import IMPORTED, JOINED

POINTERS = ("center_mae_bars", "length_mae_bars")  # judged on a known market, next to the ranking
OF_DATA = ("data", "labels")  # stages whose signs may speak for a repair
FEW, COPIES = 8, 10  # windows that are to be learned by heart, and how often each is in the file
SHARPEST = "network"  # the preset whose healthy fits differ the least, and take the longest
MORE_REPEATS = (3, 5)  # where the run's own do not decide and the budget allows it
MORE_THAN_NOTES = tuple(name for name in SEVERITIES if name != "info")
SPARE = 1.2  # a fitting may take so many times as long as those before


def settle(run: Run, about: Run, diagnosis: Diagnosis, made: Children) -> Experiments:
    """What experiments on the run `about` show, within the budget of the spec of `run`, which asks and holds their files.

    Raises RunError for a run whose fits are not its own: a baseline of predictions made elsewhere, or a joined run.
    """
    if about.record.kind != "finetune" or about.spec.estimator in (IMPORTED, JOINED):
        raise RunError(
            "was not fitted here, so nothing can be tried with it.",
            where=f"run {about.id}",
            hint="Ask without a budget, or about a cross-validated run.",
        )
    bench = _Bench(run, about, made)
    preset, before = suspects.reference_of(about.spec), last_healthy(about)
    reference = preset if before is None else before.spec
    pairs = suspects.departures(about.spec, reference)
    fixes = [parse(one.spec) for one in diagnosis.findings if one.spec is not None]
    named = [name for fix in fixes if isinstance(fix, Finetune) for name in settings_diff(about.spec, fix)]
    order = suspects.groups_of(suspects.suspected_first(pairs, named))
    gain, repair = bench.causes(order, pairs, preset, diagnosis)
    names: tuple[str, ...] = ()
    restored, alone = None, None
    if gain is not None:
        culprits, restored, alone = bench.culprits(order, gain, pairs)
        names = tuple(name for group in culprits for name in group)
        bench.decided(culprits, pairs, {bench.repeats, *MORE_REPEATS})
    result = Experiments(
        preset.preset if before is None else f"run {before.id}",
        {name: list(pair) for name, pair in pairs.items()},
        tuple(bench.tried),
        names,
        restored,
        gain.metric if gain is not None else "",
        bench.seconds,
        bench.budget_s,
        tuple(dict.fromkeys(bench.untried)),
        "",
        bench.place.where,
        repair,
        alone,
    )
    return replace(result, conclusion=conclusions.sentence(result))


def last_healthy(about: Run) -> Run | None:
    """The newest run before it of the same model on the same windows, with other settings, in which the doctor found nothing above a note.

    Not a part of a study or of another run, whose settings somebody else has chosen.
    """
    windows = about.record.data_hashes.get("windows")
    store = Store(about.store_root)
    for record in store.runs("finetune"):
        counts = record.facts.doctor
        if (
            counts is None
            or record.parent
            or record.run_id >= about.id
            or any(counts.get(name) for name in MORE_THAN_NOTES)
        ):
            continue
        if record.state != "done" or windows is None or record.data_hashes.get("windows") != windows:
            continue
        run = store.open(record.run_id)
        if run.spec.estimator == about.spec.estimator and suspects.departures(about.spec, run.spec):
            return run
    return None


@dataclass(frozen=True)
class Place:
    """The windows that an experiment is made on: where they are from, in words (empty for the run's own), and their file."""

    where: str
    data: Data


class _Bench:
    """The place where experiments are made: each is a run, and a part of the run that asks."""

    def __init__(self, run: Run, about: Run, made: Children) -> None:
        self.run, self.about, self.made, self.budget_s = run, about, made, run.spec.budget_s
        self.tried: list[Experiment] = []
        self._known: dict[str, Experiment] = {}
        self.untried: list[str] = []
        self.seconds = 0.0
        self.place = Place("", about.spec.data)
        self.repeats = 1  # with which settings are narrowed down: as many as decided that they matter
        fits = max(about.spec.training.folds * about.spec.training.repeats, 1)
        self.market_seconds: dict[str, float] = {}  # what a fit of a preset to a known market took
        self.longest = about.spec.training.folds * (about.record.seconds or 0.0) / fits

    def causes(
        self, order: Sequence[tuple[str, ...]], pairs: suspects.Departures, preset: Finetune, diagnosis: Diagnosis
    ) -> tuple[MetricGain | None, str]:
        """The metric that surely gains with settings set back, or the repair by which the score does; neither where nothing is found.

        What is wrong with training itself is in every fit, and a setting may seem to mend it: known settings are fitted to a known market
        before any of the run's own are suspected.
        """
        if not self.as_usual(preset):
            return None, ""
        gain = self.decided(order, pairs, {1, self.about.spec.training.repeats})
        repair = "" if gain is not None else self.mended(diagnosis)
        if gain is not None or repair:
            return gain, repair
        self.by_heart()
        gain = self.on_a_known_market(order, pairs)
        if gain is None and self.blind():
            gain = self.decided(order, pairs, MORE_REPEATS)
            if gain is None and preset.is_network and preset.preset != SHARPEST:
                self.as_usual(PRESETS[SHARPEST].finetune())
        return gain, ""

    def culprits(
        self, order: Sequence[tuple[str, ...]], gain: MetricGain, pairs: suspects.Departures
    ) -> tuple[list[tuple[str, ...]], float | None, dict[str, float] | None]:
        """The culprits, what of the gain they restore, and what each suspect does alone, where others were tried next to one culprit."""
        restored = self.share_of(gain, pairs)
        culprits, share = suspects.narrowed(order, restored)
        if len(culprits) > 1 or share is None or len(order) < 2:
            return culprits, share, None
        shares = suspects.alone(order, culprits[0], share, restored)
        named = {conclusions.JOIN.join(group): own for group, own in shares.items()}
        return suspects.as_good(shares), max(shares.values()), named

    def decided(
        self, groups: Sequence[tuple[str, ...]], pairs: suspects.Departures, repeats: Collection[int]
    ) -> MetricGain | None:
        """The metric that surely gains with these settings set back, by the fewest of these numbers of repeats that decide."""
        gain = None
        for count in sorted(repeats):
            if groups and gain is None and count >= self.repeats:
                gain = conclusions.decided_gain(self.set_back(groups, pairs, count))
                self.repeats = count if gain is not None else self.repeats
        return gain

    def as_it_is(self, repeats: int) -> Run | None:
        """The run with at least so many repeats: itself, or fitted with more or elsewhere; None where there is no time for that."""
        if not self.place.where and repeats <= self.about.spec.training.repeats:
            return self.about
        spec = change(self.about.spec, {"training.repeats": repeats})
        title = "as it is" + (f", {repeats} repeats" if repeats > 1 else "")
        fitted = self._fitted(Experiment(title, {}, "", where=self.place.where), spec, self.place)
        return self.made.store.open(fitted.run_id) if fitted is not None and fitted.run_id else None

    def set_back(
        self, groups: Sequence[tuple[str, ...]], pairs: suspects.Departures, repeats: int = 1
    ) -> Experiment | None:
        """The run with these settings as the reference has them, next to the run as it is."""
        names = [name for group in groups for name in group]
        title = " and ".join(names) if len(names) <= 3 else f"{len(names)} settings"
        title = "all settings that differ" if len(names) == len(pairs) else title
        title += f", {repeats} repeats" if repeats > 1 else ""
        planned = Experiment(title, {name: list(pairs[name]) for name in names}, "", where=self.place.where)
        try:
            spec = change(suspects.set_back(self.about.spec, names, pairs), {"training.repeats": repeats})
        except MoolaError as error:
            return self._keep(replace(planned, why_not=str(error)))
        base = self.as_it_is(repeats)
        return None if base is None else self._fitted(planned, spec, self.place, base)

    def share_of(
        self, gain: MetricGain, pairs: suspects.Departures
    ) -> Callable[[Sequence[tuple[str, ...]]], float | None]:
        """What of a gain is restored with some settings set back; None where there was no time to fit it."""

        def restored(groups: Sequence[tuple[str, ...]]) -> float | None:
            tried = self.set_back(groups, pairs, self.repeats)
            if tried is None:
                return None
            own = next((one for one in tried.gains if one.metric == gain.metric), None)
            return 0.0 if own is None else own.interval.value / gain.interval.value

        return restored

    def mended(self, diagnosis: Diagnosis) -> str:
        """The title of the repair of the data by which the score surely gains most; empty where it does by none."""
        odd = any(one.unusual and one.stage in OF_DATA for one in diagnosis.vitals or ())
        if self.about.spec.features.state != "per_window" or not (diagnosis.slices or odd):
            return ""
        evidence = doctor.evidence_of(self.about)
        tried = [self._mended(i, one) for i, one in enumerate(repairs(evidence, diagnosis.slices or ()))]
        gains = {one.title: conclusions.decided_gain(one) for one in tried if one is not None}
        sure = {title: gain.interval.low for title, gain in gains.items() if gain is not None}
        return max(sure, key=lambda title: sure[title], default="")

    def _mended(self, number: int, repair: Repair) -> Experiment | None:
        """The run fitted to the mended windows, next to the run as it is."""
        data = self._kept_as(repair.mended, f"mended-{number + 1}")
        planned = Experiment(repair.title, {}, "", where=conclusions.MENDED, mended=repair.windows, file=data.windows)
        spec = change(self.about.spec, {"training.repeats": 1})
        base = self.as_it_is(1)
        done = None if base is None else self._fitted(planned, spec, Place(conclusions.MENDED, data), base)
        if done is None:
            return None
        judged = replace(done, gains=tuple(gain for gain in done.gains if gain.metric in repair.judged_by))
        self.tried[self.tried.index(done)] = judged
        return judged

    def by_heart(self) -> None:
        """Eight windows, ten copies of each: a model that can learn at all tells their classes without an error.

        The folds do not mind that copies share bars, so that what is tested was trained on. Nothing is sampled: these windows are all there are.
        """
        spec = self.about.spec
        if spec.model.tasks == "pointers" or spec.features.state != "per_window":
            return
        windows = load_labelled(spec.data, spec.features, self.run.store_root / "cache").trainable
        rng, label = np.random.default_rng(spec.training.seed), windows.label.astype(str)
        each = FEW // len(windows.classes) or 1
        rows = np.concatenate([rng.permutation(np.flatnonzero(label == name))[:each] for name in windows.classes])
        title = f"{len(rows)} of the windows, {COPIES} copies of each"
        torn = change(spec, {"faults.shuffled_folds": True, "training.repeats": 1})
        place = Place(title, self._kept_as(_copied(windows, rows, COPIES), "by-heart"))
        done = self._fitted(Experiment(title, {}, "", where=title), torn, place)
        if done is not None and done.auroc is not None:
            value = done.auroc.value
            self.tried[self.tried.index(done)] = replace(done, auroc=Interval(value, value, value))

    def on_a_known_market(self, groups: Sequence[tuple[str, ...]], pairs: suspects.Departures) -> MetricGain | None:
        """The metric that surely gains on a demo market, whose pattern is known to be learned; where one does, the bench stays there."""
        own, self.place = self.place, Place(conclusions.MARKET, self._kept_as(known_market.windows(), "demo"))
        gain = self.decided(groups, pairs, {1})
        if gain is None:
            self.as_it_is(1)
            self.place = own
        return gain

    def as_usual(self, reference: Finetune) -> bool:
        """Whether the reference's settings, and no others, do on a demo market what they do in healthy fits; true where nobody knows.

        The market is the same at every call, so that healthy fits differ by their seeds alone.
        """
        usual = known_market.usual(reference.preset)
        if usual is None:
            return True
        own = self.about.spec.training
        where_to_compute = {f"training.{name}": getattr(own, name) for name in ("device", "engine", "processes")}
        spec = change(reference, where_to_compute | {"training.repeats": 1, "training.seed": own.seed})
        place = Place(conclusions.MARKET, self._kept_as(known_market.windows(), "demo"))
        title = f"the settings of {reference.preset} and no others"
        done = self._fitted(Experiment(title, {}, "", where=place.where, usual=usual), spec, place)
        if done is None or not done.run_id:
            return True
        pointers = _pointers(self.made.store.open(done.run_id), reference.preset)
        self.tried[self.tried.index(done)] = full = replace(done, pointers=pointers)
        return all(conclusions.shortfall(score).low <= 0 for score in conclusions.next_to_usual(full))

    def blind(self) -> bool:
        """Whether labels in random order are told no better than by chance, as they should; true where it was not tried.

        Only of a run that tells its own labels: what leaks shows as a score that is too good.
        """
        spec, own = change(self.about.spec, {"training.repeats": 1}), None
        with suppress(RunError):  # of a run whose predictions could not be evaluated
            own = _auroc(self.about)
        if spec.features.state != "per_window" or own is None or own.low <= conclusions.CHANCE:
            return True
        windows = load_labelled(spec.data, spec.features, self.run.store_root / "cache").trainable
        label = np.random.default_rng(spec.training.seed).permutation(windows.label)
        place = Place(conclusions.SHUFFLED, self._kept_as(replace(windows, label=label), "random-order"))
        done = self._fitted(Experiment("as it is", {}, "", where=place.where), spec, place)
        return done is None or conclusions.surely_told(done) is None

    def _kept_as(self, windows: Windows, name: str) -> Data:
        """The windows in a file in the folder of the run that asks."""
        path = Path(self.run.folder) / "windows" / f"{name}.parquet"
        if not path.is_file():
            path.parent.mkdir(exist_ok=True)
            frames.write_windows(windows, path)
        return Data(windows=str(path), exclude_grades=())

    def _fitted(self, planned: Experiment, spec: Finetune, place: Place, base: Run | None = None) -> Experiment | None:
        """The experiment, fitted unless it was, next to `base`; None where the budget does not reach."""
        repeats = spec.training.repeats
        spec = spec.model_copy(update={"data": place.data})
        what = f"{planned.where}: " + (", ".join(sorted(planned.changes)) or planned.title) + f", {repeats} repeats"
        if what in self._known:
            return self._known[what]
        begun = what in self.run.record.facts.children  # before an interruption: what is there takes no time any more
        if not begun and self.seconds + SPARE * repeats * self._lasts(planned, spec) > self.budget_s:
            known = not place.where or place.where == planned.title
            self.untried.append(planned.title if known else f"{planned.title} on {place.where}")
            return None
        try:
            child = self.made.get(what, spec, f"experiment: {planned.title}")
            self._note_time(planned, spec, child)
            done = replace(
                planned,
                run_id=child.id,
                gains=() if base is None else (gains_of_repair if planned.file else gains_over)(base, child),
                auroc=None if spec.model.tasks == "pointers" else _auroc(child),
            )
        except (MoolaError, ValueError) as error:
            # Also where predictions, of this run or of the other, cannot be evaluated.
            done = replace(planned, why_not=str(error))
        self._known[what] = done
        return self._keep(done)

    def _note_time(self, planned: Experiment, spec: Finetune, child: Run) -> None:
        """Count what the fitting took, and remember it for those that come."""
        seconds = child.record.seconds or 0.0
        took = seconds / spec.training.repeats
        self.seconds += seconds
        self.market_seconds |= {spec.preset: took} if planned.usual is not None else {}
        self.longest = self.longest if planned.usual is not None else max(self.longest, took)

    def _lasts(self, planned: Experiment, spec: Finetune) -> float:
        """Seconds that a repeat is taken to last: as the longest before it; of a preset on a known market by another one there."""
        factors = known_market.TIMES_AS_LONG
        if planned.usual is not None and spec.preset in factors:
            others = [took / factors[name] for name, took in self.market_seconds.items() if name in factors]
            return max(others) * factors[spec.preset] if others else self.longest
        return self.longest

    def _keep(self, experiment: Experiment) -> Experiment:
        self.tried.append(experiment)
        return experiment


def _auroc(run: Run) -> Interval | None:
    evaluation: Evaluation = codec.restore(Evaluation, run.result("evaluation"))
    return evaluation.auroc_within_folds


def _copied(windows: Windows, rows: np.ndarray, copies: int) -> Windows:
    """Copies of the windows at `rows` under names of their own and without times."""
    copied = windows.select(np.tile(rows, copies))
    n = len(copied)
    return replace(
        copied,
        window_id=np.array([f"{name}_{i // len(rows)}" for i, name in enumerate(copied.window_id.astype(str))], object),
        start_time=np.full(n, np.datetime64("NaT", "ns")),
        position=np.full(n, -1),
    )


def _pointers(run: Run, preset: str) -> tuple[UsualScore, ...]:
    """Errors of the run's pointers next to those of healthy fits of the preset."""
    errors = run.result("evaluation")["metrics"]
    usual = {metric: known_market.usual(preset, metric) for metric in POINTERS if metric in errors}
    return tuple(UsualScore(name, errors[name]["mean"], own) for name, own in usual.items() if own is not None)
