"""How busy a host is, from what the operating system says."""

from __future__ import annotations

import importlib
import os

import pytest

from moola_core.host import busy
from moola_core.host.figures import cores


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Say how long processes waited (percent) and how many there were for each core; gives the stretch."""
    importlib.reload(busy)

    def stretch(waited, load):
        path = tmp_path / "cpu"
        path.write_text(
            f"some avg10=1.00 avg60={waited:.2f} avg300=2.00 total=17\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
        )
        monkeypatch.setattr(busy, "PRESSURE", path)
        monkeypatch.setattr(os, "getloadavg", lambda: (load * cores(), 0.0, 0.0))
        return busy.stretch()

    return stretch


def test_work_takes_longer_by_the_processes_that_share_a_core(host):
    assert 1 < host(40, 1.5) < host(85, 3.0) < 3
    assert host(85, 0.5) == 1 and host(99, 1000.0) == busy.slower_by(busy.MOST) < busy.MOST


def test_a_host_whose_own_work_follows_one_after_another_is_not_busy(host):
    assert host(3, 1.0) == 1 and host(3, 4.0) == 1


def test_where_the_operating_system_does_not_say_it_nothing_is_assumed(host, monkeypatch, tmp_path):
    host(85, 3.0)
    monkeypatch.setattr(busy, "PRESSURE", tmp_path / "absent")
    assert busy.stretch() == 1
    (tmp_path / "torn").write_text("nothing of the kind")
    monkeypatch.setattr(busy, "PRESSURE", tmp_path / "torn")
    assert busy.stretch() == 1
