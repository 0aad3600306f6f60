"""The file of a host's figures."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from moola_core.errors import StoreError
from moola_core.host import figures
from moola_core.host.engine import Engine
from tests.host.test_choices import FAST_CARD

NOW = replace(FAST_CARD, software=figures.software("580"), hardware=figures.processor(), floors={"bilstm 1×32": 0.01})


def test_figures_are_read_as_they_were_written(tmp_path):
    path = figures.write(tmp_path, NOW)
    assert path.parent == tmp_path / "host" and path.name.startswith("cpu-")
    assert figures.read(tmp_path, NOW.hardware) == (NOW, "")
    assert figures.kept(tmp_path, "cpu") == NOW and figures.kept(tmp_path, "cuda") is None
    assert figures.read(tmp_path, replace(NOW.hardware, identity="another")) == (None, "")


@pytest.mark.parametrize(
    "damage",
    [
        lambda values: values["rows"][0].pop("engine"),
        lambda values: values["rows"][0].update(step_s=-1),
        lambda values: values["rows"][0].update(at_once="many"),
        lambda values: values.update(format=2),
        lambda values: values.update(rows=3),
        lambda values: values.update(unknown=1),
        lambda values: values["hardware"].update(name="another card"),
        lambda values: values["rows"][0]["shape"].update(width=3),
    ],
)
def test_a_damaged_or_foreign_file_is_not_used_and_said_so(tmp_path, damage):
    path = figures.write(tmp_path, NOW)
    values = json.loads(path.read_text(encoding="utf-8"))
    damage(values)
    path.write_text(json.dumps(values), encoding="utf-8")
    known, note = figures.read(tmp_path, NOW.hardware)
    assert known is None and str(path) in note and "is not used" in note and "moola tune" in note


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_a_torn_file_is_not_used(tmp_path, text):
    path = figures.write(tmp_path, NOW)
    path.write_bytes(text)
    known, note = figures.read(tmp_path, NOW.hardware)
    assert known is None and "is not used" in note
    assert figures.kept(tmp_path, "cpu") is None


def test_figures_of_another_torch_or_driver_are_out_of_date():
    assert NOW.outdated("580") == ""
    assert "driver was 580 and is 590" in NOW.outdated("590")
    old = replace(NOW, software=NOW.software | {"torch": "1.0"})
    assert "torch was 1.0" in old.outdated("580") and "moola tune" in old.outdated("580")


def test_a_store_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "host").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        figures.write(tmp_path, NOW)


def test_an_engine_is_kept_and_found_again():
    engine = Engine("replicas", "why", "on_chip", "tf32", 50, 0, False)
    assert Engine.of(engine.settings() | {"of a later version": 1}, "why") == engine
