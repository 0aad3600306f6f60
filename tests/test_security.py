"""What SECURITY.md promises of the app: as configured, and as a running server answers."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import Server

PROJECT = Path(__file__).parents[1]
PROMISED = {
    "server.address": "127.0.0.1",
    "server.allowedHosts": ["127.0.0.1", "localhost"],
    "server.enableCORS": True,
    "server.enableXsrfProtection": True,
    "server.xsrfCookieSameSite": "strict",
    "server.maxUploadSize": 50,
    "server.maxMessageSize": 64,
    "server.enableStaticServing": False,
    "server.enableAgentApi": False,
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",
    "client.showErrorLinks": False,
}
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """The app with one more host allowed by the one setting that SECURITY.md names."""
    hosts = "127.0.0.1 localhost moola.example.org"
    started = Server(tmp_path_factory.mktemp("app"), MOOLA_DEMO="off", STREAMLIT_SERVER_ALLOWED_HOSTS=hosts)
    yield started
    started.stop()


def test_streamlit_reads_the_configuration_as_promised():
    # In a process of its own: other tests change Streamlit's options in this one.
    code = f"from streamlit import config; print([config.get_option(name) for name in {list(PROMISED)!r}])"
    answer = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip().splitlines()[-1] == str(list(PROMISED.values()))


def test_every_promised_option_stands_in_the_file():
    """So that a new default of the library changes nothing."""
    found = tomllib.loads((PROJECT / ".streamlit" / "config.toml").read_text())
    for name, value in PROMISED.items():
        section, _, option = name.partition(".")
        assert found[section][option] == value


def _status(server: Server, path: str, method: str = "GET", **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request(method, path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1", "http://127.0.0.1", 101),
        ("localhost:9000", "http://localhost:9000", 101),
        ("moola.example.org", "https://moola.example.org", 101),
        ("evil.example", "http://evil.example", 403),
        ("127.0.0.1", "http://evil.example", 403),
        ("127.0.0.1.evil.example", "http://127.0.0.1.evil.example", 403),
        ("localhost@evil.example", "http://evil.example", 403),
        ("127.0.0.1:8501", "http://127.0.0.1:8502", 403),
        ("127.0.0.1:8501", "http://127.0.0.1", 403),
        ("127.0.0.1:8501", "http://localhost:8501", 403),
        ("127.0.0.1", "null", 403),
        ("127.0.0.1", "file://", 403),
    ],
)
def test_a_session_opens_under_allowed_names_from_their_own_pages_alone(server, host, origin, status):
    assert _status(server, "/_stcore/stream", Host=host, Origin=origin, **UPGRADE) == status


@pytest.mark.parametrize(
    "path", ["/", "/_stcore/health", "/_stcore/metrics", "/_stcore/host-config", "/media/x", "/x.js"]
)
def test_nothing_is_answered_under_a_foreign_name(server, path):
    for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.evil.example", "localhost@evil.example"):
        assert _status(server, path, Host=host) == 403
    assert _status(server, path, Origin="http://evil.example") == 403
    assert _status(server, path) != 403
    assert _status(server, path, Host="localhost:9000", Origin="http://localhost:9000") != 403


def test_an_upload_without_the_token_is_refused(server):
    path = "/_stcore/upload_file/11111111-1111-1111-1111-111111111111/22222222-2222-2222-2222-222222222222"
    assert _status(server, path, "PUT", Origin="http://evil.example") == 403
    assert _status(server, path, "PUT") == 403


@pytest.mark.parametrize("path", ["/app/static/x", "/_stcore/agent/interact", "/../../etc/passwd", "/static/../app.py"])
def test_no_file_of_the_host_is_served(server, path):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status in (400, 403, 404, 405) or b"<title>Streamlit</title>" in body
    assert b"root:" not in body and b"set_page_config" not in body


def test_every_promise_names_tests_that_are_there():
    text = (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 15 and all(len(row) == 3 for row in rows)
    for promise, _, tests in rows:
        named = re.findall(r"`(tests/[^`]+)`", tests)
        assert named and all((PROJECT / name).exists() for name in named), promise
    kept = {name for _, by, _ in rows for name in re.findall(r"`(moola_core/[^`]+)`", by)}
    assert all((PROJECT / name).exists() for name in kept)
