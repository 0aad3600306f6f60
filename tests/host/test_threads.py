import json
import os
import subprocess
import sys

import pytest

from moola_core.host.threads import several_threads_pay

# As where nobody has set how many threads there are: torch first, as runs import it.
SCRIPT = """
import json, os, sys
import torch, sklearn.ensemble, scipy.linalg
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
from threadpoolctl import threadpool_info
from moola_core.host.threads import one_thread
from moola_core.training.processes import side_by_side

def threads(_=None):
    import sklearn.ensemble, scipy.linalg
    return [_openmp_effective_n_threads(), *(one["num_threads"] for one in threadpool_info())]

if __name__ == "__main__":
    for one in ("libgomp", "openblas"):
        assert any(one in library["filepath"] for library in threadpool_info()), one
    before = threads()
    with one_thread():
        inside = threads()
    print(json.dumps([before, inside, threads(), *side_by_side(threads, [1], 1)]))
"""


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> list[list[int]]:
    """Threads of every library before, inside and after, and in a process that shares work."""
    script = tmp_path_factory.mktemp("threads") / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    free = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    answer = subprocess.run([sys.executable, script], env=free, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


def test_inside_every_library_has_one_thread_and_after_it_what_it_had(counts: list[list[int]]) -> None:
    before, inside, after, *_ = counts
    assert set(inside) == {1}
    assert after == before


def test_a_process_that_shares_work_has_one_thread_in_every_library(counts: list[list[int]]) -> None:
    (other,) = counts[3:]
    assert set(other) == {1}


@pytest.mark.parametrize("own", [None, "ACTIVE"])
def test_waiting_threads_sleep_unless_the_user_has_said_how_they_wait(own: str | None) -> None:
    free = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    given = free | ({"OMP_WAIT_POLICY": own} if own else {})
    asked = [sys.executable, "-c", "import moola_core, os; print(os.environ['OMP_WAIT_POLICY'])"]
    answer = subprocess.run(asked, env=given, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == (own or "PASSIVE")


def test_small_steps_of_a_recurrence_take_one_thread():
    assert not several_threads_pay(True, 32, 64) and several_threads_pay(True, 128, 1024)
    assert several_threads_pay(False, 16, 16)
