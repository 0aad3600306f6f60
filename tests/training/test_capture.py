"""Capturing steps: what happens around the card, with a stand-in for it; the card itself is asked in test_replicas.py."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch

from moola_core.training import capture
from moola_core.training.capture import WARM_UPS, Captured, out_of_memory
from moola_core.training.group import Group
from tests.training.test_replicas import folds_of, some_inputs, where
from tests.training.windows import make_spec


class Card:
    """Stands in for torch.cuda: a graph remembers the function's work as the function itself."""

    def __init__(self, monkeypatch, error=None):
        self.error, self.replays, self.capturing = error, 0, False
        stream = type("Stream", (), {"wait_stream": lambda self, other: None})
        monkeypatch.setattr(torch.cuda, "Stream", stream)
        monkeypatch.setattr(torch.cuda, "current_stream", stream)
        monkeypatch.setattr(torch.cuda, "stream", self.on_stream)
        monkeypatch.setattr(torch.cuda, "graph", self.graph)
        monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: self)

    @contextmanager
    def on_stream(self, stream):
        yield

    @contextmanager
    def graph(self, graph, pool, capture_error_mode):
        assert graph is self and pool == "pool" and capture_error_mode == "thread_local"
        self.capturing = True
        yield
        self.capturing = False
        if self.error:
            raise self.error

    def replay(self):
        self.replays += 1


def test_a_function_is_warmed_up_captured_and_replayed(monkeypatch):
    card, called = Card(monkeypatch), []

    def function():
        called.append(card.capturing)
        return [torch.full((2,), float(len(called)))]

    one = Captured(function, "pool")
    assert called == [False] * WARM_UPS + [True] and one.failure == ""
    assert one()[0].tolist() == [3.0, 3.0] and one() is one.outputs
    assert card.replays == 2 and len(called) == WARM_UPS + 1


def test_what_cannot_be_captured_is_called_and_the_reason_kept(monkeypatch):
    card = Card(monkeypatch, RuntimeError("operation not permitted when stream is capturing\nmore"))
    one = Captured(lambda: [torch.ones(1)], "pool")
    assert one.failure == "operation not permitted when stream is capturing"
    assert one()[0].item() == 1 and card.replays == 0


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("operation not permitted when stream is capturing"), False),
    ],
)
def test_too_little_memory_is_not_a_failed_capture(monkeypatch, error, found):
    assert out_of_memory(error) is found
    Card(monkeypatch, error)
    if found:
        with pytest.raises(type(error)):
            Captured(lambda: [torch.ones(1)], "pool")


def test_without_a_pool_the_function_is_called():
    one = Captured(lambda: [torch.ones(1)])
    assert one.graph is None and one()[0].item() == 1


def test_a_group_goes_on_without_graphs_and_says_why(monkeypatch):
    events = []

    def failing(self, pool):
        self.failure = "not permitted"

    monkeypatch.setattr(capture.Captured, "_capture", failing)
    inputs, spec = some_inputs(), make_spec(epochs=2)
    group = Group(spec, inputs, folds_of(inputs, spec), where("cpu"))
    monkeypatch.setattr("moola_core.training.group.Captured", lambda function, pool: Captured(function, "pool"))
    found = list(group.fit(events.append))
    assert len(found) == 3
    said = [event.values["message"] for event in events if event.type == "log"]
    assert said == ["Steps run without a CUDA graph, which is slower: not permitted"]
