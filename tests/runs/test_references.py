"""Lines of parents, as this program writes them and as anyone else may."""

from __future__ import annotations

import itertools
import random
import threading

import pytest

from moola_core.errors import RunError
from moola_core.launch import worker
from moola_core.launch.local import LocalLauncher
from moola_core.presets import preset
from moola_core.runs import Store, cancelling, references
from moola_core.runs.liveness import identity

SPEC = preset("quick").finetune()
GENEROUS_S = 20.0


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


def within(work):
    """The answer of `work`, which must come: a walk that never ends fails the test instead of hanging it."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(work()), daemon=True)
    thread.start()
    thread.join(GENEROUS_S)
    assert answers, "it does not come to an end"
    return answers[0]


def circle(store, length, **named):
    """Runs of which each is the next one's parent, and the last one the first one's."""
    runs = [store.create(SPEC, **named) for _ in range(length)]
    for run, parent in zip(runs, [runs[-1], *runs[:-1]], strict=True):
        run.update(parent=parent.id)
    return runs


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_run_that_is_its_own_ancestor_fails_with_a_reason_and_nothing_hangs(store, length):
    run = circle(store, length)[0]

    def launch():
        with pytest.raises(RunError, match="is its own ancestor"):
            worker.run(run)
        return True

    assert within(launch)
    assert run.record.state == "failed" and run.record.error.count(run.id) >= 3, "the error shows the whole circle"


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_run_in_a_circle_of_parents_can_be_cancelled_and_asked_for(store, length):
    runs = circle(store, length, queue={"priority": 0, "needs": "auto"})
    assert within(lambda: cancelling.asked(runs[0])) is False
    within(lambda: LocalLauncher(store).cancel(runs[0].id) or True)
    assert within(lambda: cancelling.asked(runs[0])) is True
    assert within(lambda: references.together(store, [runs[0].id])) == (sorted(run.id for run in runs), [])


def test_every_walk_over_parents_ends_whatever_the_records_say(store):
    """Any record may name any run as its parent: the ancestors are those of a plain walk that stops at the first repetition."""
    draw = random.Random(5)
    runs = [store.create(SPEC) for _ in range(6)]
    names = [run.id for run in runs]
    for _ in range(40):
        parents = {run.id: draw.choice([*names, None, "20260101-000000-000-aaaa", "../elsewhere"]) for run in runs}
        for run in runs:
            run.update(parent=parents[run.id])
        for run in runs:
            wanted, at = [], parents[run.id]
            while at in names and at not in (run.id, *wanted):
                wanted.append(at)
                at = parents[at]
            found = within(lambda run=run: [one.id for one in itertools.islice(references.ancestors(run), 20)])
            assert found == wanted
            if at == run.id:
                with pytest.raises(RunError, match="is its own ancestor"):
                    references.refuse_circle(run)
            else:
                references.refuse_circle(run)


def test_a_part_of_a_study_is_cancelled_with_it_and_a_run_made_of_another_is_not(store):
    study, arm, later = (store.create(SPEC) for _ in range(3))
    for run, parent, process in ((study, None, identity()), (arm, study.id, identity()), (later, study.id, {"pid": 1})):
        run.update(parent=parent, process=process)
    cancelling.ask(study)
    assert [cancelling.asked(run) for run in (study, arm, later)] == [True, True, False]
