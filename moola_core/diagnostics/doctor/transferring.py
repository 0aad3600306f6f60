"""Checks of transfer: what was frozen, what was left on, what never trained, what was read differently before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moola_core.diagnostics.doctor import suspects
from moola_core.diagnostics.doctor.check import (
    CRITICAL,
    ERROR,
    INFO,
    WARNING,
    CannotJudge,
    Case,
    Check,
    claimed,
    fix_spec,
    register,
)
from moola_core.diagnostics.results import Finding, Interval
from moola_core.diagnostics.results.interval import OPPOSED, SUPPORTED, Claim, exactly

NARROW = 0.05  # trainable share of all parameters
NOISY = 0.05
FAR_AUC = 0.95


def _gap_text(gap: dict[str, float]) -> str:
    """A difference of two probes with its interval."""
    return f"difference {gap['value']:+.3f}, 95% from {gap['low']:+.3f} to {gap['high']:+.3f}"


def without_encoder(case: Case, more: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """The run from random weights, with nothing of the transfer left; None without a spec."""
    if case.spec is None or case.spec.kind != "finetune":
        return None
    sound = suspects.reference_of(case.spec).transfer
    start = {f"transfer.{name}": value for name, value in sound.model_dump().items()}
    return fix_spec(case, start | dict(more or {}))


def started(case: Case) -> None:
    """Raise CannotJudge unless the case starts from a pre-trained encoder."""
    if case.kind == "finetune" and case.get("schedule") in (None, "none"):
        raise CannotJudge("There is no pre-trained encoder.")


def far_before(case: Case) -> tuple[str, ...]:
    """The check that explains what went wrong where a setting of the pre-training is far from every preset's; none where none is."""
    return ("far_settings",) if case.get("far_in_pretraining") else ()


@register
class PretrainingUnsound(Check):
    """The doctor has found a fault in the pre-training of the encoder. Reads `pretraining_findings`."""

    id, title = "pretraining_unsound", "The pre-training itself is at fault"
    networks_only = True
    kinds = ("finetune",)
    invalidates = ("verdicts on pre-training",)

    def causes(self, case: Case) -> tuple[str, ...]:
        return far_before(case)

    def judge(self, case: Case) -> Finding | None:
        started(case)
        findings: list[Finding] = case["pretraining_findings"]
        if not findings:
            return None
        titles = [one.title for one in findings]
        finding = self.finding(
            WARNING,
            f"Of the pre-training that the encoder comes from the doctor found {len(titles)}: {'; '.join(titles)}.",
            {"findings": titles},
            "Look at the pre-training's own page first. What this run gains or loses by its encoder says nothing of pre-training that is done as it should be.",
            without_encoder(case),
        )
        claims = [claim for one in findings for claim in one.claims or ()]
        return self.resting_on(finding, claims) if claims else finding


@register
class CheckpointUnfit(Check):
    """The run cannot begin with its checkpoint: it is missing, holds no encoder, or is of another size or other features."""

    id, title = "checkpoint_unfit", "The checkpoint cannot be used"
    networks_only = True
    kinds = ("finetune",)

    def judge(self, case: Case) -> Finding | None:
        started(case)
        problem = case["checkpoint_problem"]
        if not problem:
            return None
        wanted = case.get("checkpoint_settings") or {}
        checkpoint = case.spec.transfer.checkpoint if case.spec is not None else ""
        return self.finding(
            CRITICAL,
            f"The run would fail as it starts. {problem}",
            {"checkpoint": checkpoint, "problem": problem, "its_settings": wanted},
            case.get("checkpoint_advice")
            or "Give another checkpoint, or start from random weights: transfer.schedule=none.",
            fix_spec(case, wanted) if wanted else None,
        )


@register
class FrozenBottleneck(Check):
    """Everything has to pass a frozen encoder that holds less than a random one would."""

    id, title = "frozen_bottleneck", "Frozen bottleneck"
    networks_only = True
    kinds = ("finetune", "pretrain", "reported")
    after = ("target_visible", "learned_nothing", "pretraining_unsound")
    sampled = True

    def causes(self, case: Case) -> tuple[str, ...]:
        return (*self.after, *far_before(case))

    def judge(self, case: Case) -> Finding | None:
        started(case)
        share = case.get("trainable_share")
        if case.kind == "reported":
            return self._reported(case, case["trainable_share"])
        used, random, gap = case["probe_encoder"], case["probe_random"], case["probe_gap_random"]
        frozen = case.get("schedule") == "frozen"
        narrow = frozen and share is not None and share < NARROW
        raw, raw_gap = case.get("probe_raw"), case.get("probe_gap_raw")
        claims = [Claim("AUROC of a linear probe less that on random weights", Interval(**gap))]
        if raw_gap is not None:
            claims.append(Claim("AUROC of a linear probe less that on the raw features", Interval(**raw_gap)))
        below = claims[0].outcome == OPPOSED
        lost = frozen and any(claim.outcome == OPPOSED for claim in claims)
        if not below and not narrow and not lost:
            return None
        summary = f"A linear probe reads AUROC {used:.3f} from the encoder, {random:.3f} from the same one with random "
        summary += f"weights ({_gap_text(gap)})"
        summary += (
            f", {raw:.3f} from the raw features ({_gap_text(raw_gap)})"
            if raw is not None and raw_gap is not None
            else ""
        )
        summary += f"; {share:.1%} of the parameters train" if share is not None else ""
        finding = self.finding(
            ERROR if lost else INFO,
            f"{summary}.",
            {
                "probe_encoder": used,
                "probe_random": random,
                "probe_raw": raw,
                "gap_random": gap,
                "gap_raw": raw_gap,
                "trainable_share": share,
            },
            (
                "What the encoder does not pass on, no head can learn. "
                if below or lost
                else "It is not shown that the encoder passes on less than random weights do, yet nearly all of the network is fixed. "
            )
            + (
                "Train the encoder too (full, at a lower rate), or start from another."
                if claims[0].outcome == SUPPORTED
                else "It is not shown to be of more use than random weights: start from these, or from another encoder."
            ),
            self._fix(case, claims[0].outcome == SUPPORTED),
            "" if below or lost else "A frozen encoder with few trained parameters",
        )
        return self.resting_on(finding, claims)

    @staticmethod
    def _fix(case: Case, of_use: bool) -> dict[str, Any] | None:
        """An encoder that holds more than random weights is trained; another is left out."""
        if case.kind != "finetune":
            return None
        sound = {"faults.noise_encoder": False}
        return fix_spec(case, sound | {"transfer.schedule": "full"}) if of_use else without_encoder(case, sound)

    def _reported(self, case: Case, share: float) -> Finding | None:
        if share >= NARROW:
            return None
        encoder, heads = case["encoder_parameters"], case["trainable_parameters"]
        summary = f"The frozen encoder has {encoder:,} parameters ({encoder / (encoder + heads):.0%}); {heads:,} train ({share:.0%})."
        believed = case.get("encoder_parameters_believed")
        evidence = {"encoder_parameters": encoder, "trainable_parameters": heads, "trainable_share": share}
        if believed:
            evidence |= {"encoder_parameters_believed": believed}
            summary += f" Believed were {believed:,} ({believed / (believed + heads):.0%})."
        summary += f" {case.get('encoder_arithmetic') or ''}"
        finding = self.finding(
            ERROR,
            summary.strip(),
            evidence,
            "Nearly the whole network is what pre-training left. Compare its linear probe with that of random weights before building on it, and let it train.",
        )
        return self.resting_on(finding, (exactly("share of the parameters that train", share, NARROW),))


@register
class FrozenDropout(Check):
    """A frozen encoder gives other outputs for the same window each time."""

    id, title = "frozen_dropout", "Dropout left on in a frozen encoder"
    networks_only = True
    kinds = ("finetune",)

    def judge(self, case: Case) -> Finding | None:
        started(case)
        noise = case["encoder_noise"]
        if noise <= NOISY:
            return None
        return self.finding(
            ERROR,
            f"In training the frozen encoder's outputs for the same windows differ by {noise:.0%} of what windows differ by.",
            {"encoder_noise": noise},
            "Dropout in weights that cannot adapt to it is noise alone. Put a frozen encoder in evaluation mode.",
            fix_spec(case, {"faults.frozen_dropout": False}),
        )


@register
class NothingUnfrozen(Check):
    """The schedule says that the encoder trains, and none of its weights changed."""

    id, title = "nothing_unfrozen", "Nothing was unfrozen"
    networks_only = True
    kinds = ("finetune",)

    def judge(self, case: Case) -> Finding | None:
        started(case)
        if case["schedule"] == "frozen":
            raise CannotJudge("The schedule keeps the encoder frozen.")
        changed = case["encoder_changed"]
        if changed > 0:
            return None
        return self.finding(
            ERROR,
            f"The schedule is {case['schedule']}, and 0 of the encoder's tensors changed in any phase.",
            {"encoder_changed": changed, "schedule": case["schedule"]},
            "The names that were to be unfrozen match nothing, or their learning rate is 0. Compare the schedule with the parameters' "
            "names; the run's events list what changed.",
            fix_spec(case, {"faults.nothing_unfrozen": False, "transfer.schedule": "full"}),
        )


@register
class NotAsStarted(Check):
    """A frozen encoder, or the scale of its inputs, is not that of its checkpoint. Reads what the first fit stored."""

    id, title = "not_as_started", "Not the encoder of the checkpoint"
    networks_only = True
    kinds = ("finetune",)
    invalidates = ("the effect of pre-training",)

    def judge(self, case: Case) -> Finding | None:
        started(case)
        encoder = case["encoder_differs"] if case["schedule"] == "frozen" else 0
        scale = case["scale_differs"]
        if not encoder and not scale:
            return None
        parts = []
        if encoder:
            parts.append(
                f"{encoder} of {case['encoder_tensors']} tensors of the frozen encoder are not those of its checkpoint"
            )
        if scale:
            parts.append("the inputs are not scaled as in pre-training")
        return self.finding(
            CRITICAL,
            f"In the first fit {' and '.join(parts)}.",
            {"encoder_differs": encoder, "scale_differs": scale},
            "Look at how the checkpoint is loaded: names of the weights that match nothing, a scale that is fitted anew, an encoder that trains. Until then start from random weights.",
            without_encoder(case),
        )


@register
class StateMismatch(Check):
    """Pre-training and fine-tuning compute the features' state differently."""

    id, title = "state_mismatch", "State mismatch"
    networks_only = True
    kinds = ("finetune",)

    def judge(self, case: Case) -> Finding | None:
        started(case)
        before, now = case["pretrained_state"], case["state"]
        if before == now:
            return None
        gap = case.get("state_gap")
        summary = f"Pre-training read features of {before} state, this run of {now} state."
        if gap is not None:
            summary += f" In the first 15 bars they differ by {gap:.2f} standard deviations on average."
        bars = case.spec is not None and case.spec.data.bars
        possible = before == "per_window" or bars
        return self.finding(
            ERROR,
            summary,
            {"pretrained_state": before, "state": now, "state_gap": gap},
            "The encoder meets the start of every window as something that it has never seen. Use the same state on both sides"
            + ("." if possible else "; continuous state needs the bars (data.bars)."),
            fix_spec(case, {"features.state": before}) if possible else None,
        )


@register
class DomainShift(Check):
    """The bars of pre-training are not like the labelled windows."""

    id, title = "domain_shift", "Domain shift"
    networks_only = True
    kinds = ("finetune", "pretrain")
    diagnostic = "shift"
    sampled = True

    def judge(self, case: Case) -> Finding | None:
        started(case)
        auc, null = case["domain_auc"], case["domain_auc_null_high"]
        low = case.get("domain_auc_low")
        if auc <= null or (low is not None and low <= 0.5):
            return None
        drivers = list(case.get("domain_drivers") or [])[:4]
        finding = self.finding(
            ERROR if auc > FAR_AUC else INFO,
            f"A classifier separates labelled windows from those of pre-training with AUROC {auc:.2f}; without a difference it stays below {null:.2f}. It relies "
            f"on {', '.join(drivers) or 'many features'}.",
            {"domain_auc": auc, "null_high": null, "drivers": drivers},
            "Curated windows always differ somewhat. "
            + (
                "This much means that pre-training saw another market: use bars of the same instrument"
                if auc > FAR_AUC
                else "Whether it matters, only a comparison can tell: use bars of the same instrument"
            )
            + ", or keep the windows most like the labelled ones (sampling.keep=similar).",
            fix_spec(case, {"sampling.keep": "similar"})
            if case.kind == "pretrain" and case.get("labelled_located")
            else None,
        )
        beyond = exactly("AUROC of a classifier, against what shuffles give", auc, null)
        return self.resting_on(finding, (beyond, claimed(case, "AUROC of a classifier", "domain_auc", 0.5)))
