"""Which question comes next follows from the probabilities, and nothing else."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from moola_core.errors import SpecError
from moola_core.investigation import beliefs, order
from moola_core.investigation.known import FAILED, UNDECIDED, Answer, Facts, Known
from moola_core.investigation.question import QUESTIONS, Work
from moola_core.investigation.questions import data, labels, learning, pretraining
from moola_core.runs.store import Store
from moola_core.specs import Data, Investigation

SECONDS = {"data": 5, "learnable": 40, "current": 15, "network": 40, "pretraining": 60, "fixes": 30, "labels": 60}


@pytest.fixture
def known(tmp_path, monkeypatch) -> Known:
    """A data set of 174 windows and 100,000 bars, of which every question takes a stated time."""
    for name, question in QUESTIONS.items():
        seconds = float(SECONDS.get(name, 90))
        monkeypatch.setattr(type(question), "work", lambda self, known, number, seconds=seconds: Work({}, seconds))
    best = SimpleNamespace(spec=None, run=None)
    monkeypatch.setattr(labels, "recommended", lambda known: best)
    monkeypatch.setattr(
        data.Fixes, "impossible", lambda self, known: "" if known.answer("current") == "cause" else "no"
    )
    monkeypatch.setattr(data.Fixes, "needs", lambda self, known: "current" in known.answers)
    monkeypatch.setattr(data.Ceiling, "needs", lambda self, known: False)
    spec = Investigation(preset="quick", data=Data(windows="w.parquet", bars="b.parquet"))
    made = Known(spec, Facts(174, {"a": 90, "b": 84}, 174, 105, 100_000), Store(tmp_path))
    made.beliefs = beliefs.priors({})
    return made


def told(known: Known, question: str, answer: str, **numbers) -> None:
    """The question was answered so."""
    reply = Answer(answer, "", "", numbers=numbers)
    known.answers[question] = reply
    known.rounds[question] = known.rounds.get(question, 0) + 1
    known.beliefs, _ = beliefs.updated(known.beliefs, question, reply)


def sequence(known: Known, answers: dict[str, str]) -> list[str]:
    """The questions in the order in which they are asked where each is answered as stated, else as is most probable."""
    asked: list[str] = []
    while options := order.options(known):
        name = options[0].question.id
        asked.append(name)
        expected = max(known.beliefs[name], key=known.beliefs[name].__getitem__)
        told(known, name, answers.get(name, expected), best="logistic on aggregates")
    return asked


def test_a_changed_prior_changes_the_order(known):
    first = order.options(known)[0].question.id
    assert first == "data"
    known.beliefs["pretraining"] = {"none": 0.34, "hurts": 0.33, "helps": 0.33}
    known.beliefs["data"] = {"sound": 0.99, "faulty": 0.01}
    after = [option.question.id for option in order.options(known)]
    assert "data" not in after  # its answer is as good as known
    assert after[0] == "current"
    known.beliefs["current"] = {"nothing": 0.999, "cause": 0.001}
    known.beliefs["learnable"] = {"some": 0.999, "well": 0.0005, "no": 0.0005}
    assert order.options(known)[0].question.id == "pretraining"


def test_priors_of_the_spec_take_the_place_of_those_stated(tmp_path):
    stated = beliefs.priors({"network": {"no": 0.5, "yes": 0.5}})
    assert stated["network"] == {"no": 0.5, "yes": 0.5}
    assert stated["pretraining"] == dict(QUESTIONS["pretraining"].answers)


def test_the_order_differs_between_kinds_of_data(known):
    from copy import deepcopy

    faulty = sequence(deepcopy(known), {"data": "faulty", "current": "cause"})
    no_network = sequence(deepcopy(known), {"learnable": "well", "network": "no"})
    helped = sequence(deepcopy(known), {"network": "yes", "pretraining": "helps"})
    assert len({tuple(faulty), tuple(no_network), tuple(helped)}) == 3
    assert faulty.index("fixes") < faulty.index("pretraining") and "fixes" not in no_network
    assert (
        "architectures" not in no_network and "architectures" in helped
    )  # of a network nobody needs, the size does not matter
    assert "objectives" in helped and helped.index("objectives") < len(helped)
    assert "pretraining-data" in helped and "pretraining-data" not in no_network


def test_value_is_the_chance_of_another_answer_times_its_relevance(known):
    question = QUESTIONS["network"]
    told(known, "learnable", "some", best="logistic on aggregates")
    expected = (1 - max(known.beliefs["network"].values())) * question.relevance(known)
    assert order.value(known, question) == pytest.approx(expected)
    losses = QUESTIONS["losses"]
    assert order.value(known, losses) == pytest.approx(0.15 * known.chance("network", "yes"))


def test_small_questions_do_not_cost_the_time_for_a_large_one(known):
    """As a knapsack: what is asked first is the best for its time among what fits together."""
    large = SimpleNamespace(question=SimpleNamespace(id="large"), value=0.5, seconds=200.0)
    small = SimpleNamespace(question=SimpleNamespace(id="small"), value=0.4, seconds=120.0)
    tiny = SimpleNamespace(question=SimpleNamespace(id="tiny"), value=0.1, seconds=10.0)
    rows = [small, large, tiny]
    assert order.affordable(rows, 1000.0) == {"large", "small", "tiny"}
    assert order.affordable(rows, 250.0) == {"large", "tiny"}
    assert order.affordable(rows, 150.0) == {"small", "tiny"}
    assert order.affordable(rows, 5.0) == set() and order.affordable([], 5.0) == set()


def test_what_would_leave_no_time_for_a_larger_one_waits_and_the_step_says_so(known):
    known.left_s = 70.0  # the data check and pre-training, or the data check and learning
    known.beliefs["pretraining"] = {"none": 0.34, "hurts": 0.33, "helps": 0.33}
    told(known, "data", "sound")
    told(known, "current", "nothing")
    open_ = order.options(known)
    assert open_[0].question.id == "pretraining"
    rival = next(one for one in open_ if one.question.id == "learnable")
    assert rival.rate > open_[0].rate
    assert "would leave too little for others" in order.why(open_[0], open_, known)
    known.left_s = 110.0
    assert order.options(known)[0].question.id == "learnable", "both fit"


def test_pretraining_is_asked_without_a_placebo_where_there_is_no_time_for_one(known, monkeypatch):
    monkeypatch.undo()
    seconds = {True: 200.0, False: 120.0}
    monkeypatch.setattr(
        pretraining,
        "seconds_of_study",
        lambda known, study: seconds[any(arm.name == "placebo" for arm in study.arms)],
    )
    for left, arms in ((300.0, {"placebo"}), (150.0, set())):
        known.left_s = left
        work = QUESTIONS["pretraining"].work(known, 0)
        assert {arm.name for arm in work.specs["pre-training"].arms} & {"placebo"} == arms
        assert work.seconds == (200.0 if arms else 120.0)


def test_an_undecided_question_is_asked_again_as_long_as_repeats_may_settle_it(known):
    question = QUESTIONS["pretraining"]
    known.answers["pretraining"] = Answer(UNDECIDED, "", "", more=0.4)
    known.rounds["pretraining"] = 1
    assert order.value(known, question) == pytest.approx(0.4)
    known.rounds["pretraining"] = len(question.rounds)
    assert order.value(known, question) == 0
    known.answers["pretraining"] = Answer(FAILED, "", "")
    assert order.value(known, question) == 0


def test_every_answer_that_a_rule_names_is_one_of_its_question():
    for rule in beliefs.RULES:
        assert rule.answer in QUESTIONS[rule.question].answers, rule
        assert set(rule.factors) <= set(QUESTIONS[rule.other].answers), rule


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=lambda question: question.id)
def test_every_question_states_probabilities_and_where_they_come_from(question):
    assert sum(question.answers.values()) == pytest.approx(1)
    assert len(question.answers) > 1 and question.reason.endswith(".") and question.title.endswith("?")
    assert question.changes in order.CHANGES


def test_an_answer_multiplies_odds_and_probabilities_add_up_to_one():
    before = {"pretraining": {"none": 0.5, "helps": 0.2, "hurts": 0.3}, "objectives": {"current": 0.8, "another": 0.2}}
    after, why = beliefs.updated(before, "pretraining", Answer("hurts", "", ""))
    assert after["objectives"]["another"] == pytest.approx(0.4 / 1.2)  # odds 1:4 become 2:4
    assert after["pretraining"]["hurts"] == beliefs.MORE_SURE
    assert all(sum(own.values()) == pytest.approx(1) for own in after.values())
    assert list(why) == ["objectives"]
    same, none = beliefs.updated(before, "pretraining", Answer(UNDECIDED, "", ""))
    assert same == before and not none


def test_without_bars_pretraining_is_not_answerable(known):
    known.facts = Facts(174, {"a": 90, "b": 84}, 174, 105, 0)
    reasons = dict(order.not_asked(known, 100.0))
    assert reasons["pretraining"] == f"Not answerable: {pretraining.NO_BARS}"
    assert all(option.question.id != "pretraining" for option in order.options(known))


def test_the_order_of_the_phases_is_kept_where_it_is_asked_for(known):
    known.spec = known.spec.model_copy(update={"order": "phases"})
    told(known, "learnable", "some", best="logistic on aggregates")
    phases = [option.question.phase for option in order.options(known) if option.question.phase is not None]
    assert phases == sorted(phases)


def test_a_phase_is_asked_once_whatever_its_answer_is_worth(known):
    worthless = {name: {next(iter(own)): 1.0} for name, own in known.beliefs.items()}
    known.beliefs = worthless
    assert not order.options(known)
    known.spec = known.spec.model_copy(update={"order": "phases"})
    told(known, "learnable", "some", best="logistic on aggregates")
    first = order.options(known)[0].question.id
    assert first == "data" and order.value(known, QUESTIONS[first]) == 0
    told(known, first, "sound")
    assert order.options(known)[0].question.id == "current"


def test_the_last_settings_are_measured_after_all_else(known):
    assert all(option.question.id != "final" for option in order.options(known)), "nothing was taken over yet"
    known.adopted = {"training.patience": None}
    known.beliefs["network"] = {"no": 0.1, "yes": 0.9}
    for way in ("value", "phases"):
        known.spec = known.spec.model_copy(update={"order": way})
        open_ = [one.question for one in order.options(known) if way == "value" or one.question.phase is not None]
        assert open_[-1].id == "final" and len(open_) > 3, way


def test_simple_models_point_only_where_there_is_something_to_point_at(known):
    assert "locate then classify" in learning.simple_models(known)
    known.facts = Facts(174, {"a": 90, "b": 84}, 0, 105, 0)
    assert "locate then classify" not in learning.simple_models(known)


def test_a_question_whose_runs_cannot_be_made_is_not_answerable_and_stops_nothing(known, monkeypatch):
    def refused(self, known, number):
        raise SpecError("the settings do not allow it.", hint="Change them.")

    monkeypatch.setattr(type(QUESTIONS["network"]), "work", refused)
    told(known, "learnable", "some", best="logistic on aggregates")
    assert all(option.question.id != "network" for option in order.options(known))
    assert dict(order.not_asked(known, 100.0))["network"].startswith("Not answerable: the settings do not allow it.")


def test_a_step_says_its_probabilities_why_they_changed_its_cost_and_the_runner_up(known):
    told(known, "learnable", "some", best="logistic on aggregates")
    told(known, "pretraining", "hurts")
    known.because = {"objectives": ["another objective may do what this one did not"]}
    open_ = order.options(known)
    option = next(one for one in open_ if one.question.id == "objectives")
    text = order.why(option, open_, known)
    another = known.beliefs["objectives"]["another"]
    assert f"another {another:.2f}, since another objective may do what this one did not." in text
    assert f"a verdict: {option.value:.2f} in {option.work.time}" in text and "Next best: " in text
