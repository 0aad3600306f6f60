"""What only a network has is a plain sentence for every other model, on pages, in reports and in the terminal."""

from __future__ import annotations

import pytest

from moola_core.runs.store import Store
from moola_core.sections.context import OF_NETWORKS, ReportContext
from moola_core.sections.registry import build, make
from moola_core.specs import change
from tests.app_samples import make_run, make_span_run


@pytest.mark.parametrize("name", OF_NETWORKS)
def test_a_section_that_only_a_network_has_says_so_and_where_to_look(tmp_path, windows, name):
    run = make_span_run(tmp_path, windows)
    words = make(name, ReportContext(run))
    assert isinstance(words, str) and words.startswith("The model locate_then_classify is no network,")
    assert words in [why for _, why in build(run).absent]


def test_imported_predictions_are_not_called_a_model(tmp_path, windows):
    run = make_run(tmp_path, windows)
    imported = Store(tmp_path).create(change(run.spec, {"estimator": "imported"}))
    imported.update(state="done")
    assert make("training", ReportContext(imported)).startswith("The predictions were imported, so there are no epochs")


def test_a_network_keeps_its_sections(tmp_path, windows):
    run = make_run(tmp_path, windows)
    assert not isinstance(make("balance", ReportContext(run)), str)
    assert "moola diagnose attribution" in make("attribution", ReportContext(run))
