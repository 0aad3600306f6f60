"""A connection that breaks, as a tunnel's does: what was typed and not sent yet is still there when it is back."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest


class Tunnel:
    """Passes connections on to a server's port until it is cut."""

    def __init__(self, port: int) -> None:
        self.target, self.open = port, True
        self.ends: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if not self.open:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.target))
            self.ends += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pass_on, args=(source, sink), daemon=True).start()

    def cut(self) -> None:
        self.open = False
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.ends.clear()

    def restore(self) -> None:
        self.open = True


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def tunnel(full):
    made = Tunnel(full.port)
    yield made
    made.cut()
    made.listener.close()


def test_a_launch_form_is_checked_as_it_is_filled_in_and_a_dropped_connection_loses_nothing(tunnel, open_tab):
    tab = open_tab(tunnel.address)
    tab.open("launch?preset=quick")
    box = tab.page.get_by_label("epochs", exact=True)
    box.fill("many")
    tab.wait_for("valid integer")
    box.fill("7")
    tab.wait_for("--set training.epochs=7")
    assert tab.page.get_by_role("button", name="Start the run").is_enabled()
    tab.page.get_by_label("Name", exact=True).fill("Kept through the tunnel")
    tab.wait_for("Kept through the tunnel")
    state = "document.querySelector('[data-testid=stApp]').dataset.testConnectionState"
    tunnel.cut()
    tab.page.wait_for_function(f"{state} !== 'CONNECTED'", timeout=60_000)
    tunnel.restore()
    tab.page.wait_for_function(f"{state} === 'CONNECTED'", timeout=120_000)
    tab.settle()
    assert box.input_value() == "7"
    assert tab.page.get_by_label("Name", exact=True).input_value() == "Kept through the tunnel"
    tab.page.get_by_label("Note", exact=True).fill("and it goes on")
    tab.wait_for("and it goes on")
    said = tab.text()
    assert "--set training.epochs=7" in said and "Kept through the tunnel" in said and tab.errors == []
