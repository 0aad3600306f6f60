"""Which requests are those of the app's own pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moola_core.ui.own_origin import is_own

ALLOWED = ["127.0.0.1", "localhost", "moola.example.org", "::1"]


def headers(host: str | None, *origins: str) -> list[tuple[bytes, bytes]]:
    named = [] if host is None else [(b"host", host.encode("latin-1", "replace"))]
    return named + [(b"origin", origin.encode("latin-1", "replace")) for origin in origins]


@pytest.mark.parametrize(
    ("host", "origins", "own"),
    [
        ("127.0.0.1:8501", (), True),
        ("LOCALHOST:8501", ("http://localhost:8501",), True),
        ("[::1]:8501", ("http://[::1]:8501",), True),
        ("moola.example.org", ("https://moola.example.org",), True),
        ("moola.example.org:443", ("https://moola.example.org",), True),
        ("moola.example.org", ("https://moola.example.org:444",), False),
        ("moola.example.org:8443", ("https://moola.example.org:8443",), True),
        ("127.0.0.1:8501", ("http://127.0.0.1:8502",), False),
        ("127.0.0.1:8501", ("http://127.0.0.1:8501", "http://evil.example"), False),
        ("127.0.0.1:8501", ("http://127.0.0.1:8501@evil.example",), False),
        ("127.0.0.1:8501/x", (), False),
        ("127.0.0.1:port", (), False),
        ("evil.example", (), False),
        ("", (), False),
        (None, (), False),
    ],
)
def test_own_requests(host, origins, own):
    assert is_own(headers(host, *origins), ALLOWED) is own


def test_two_hosts_are_none():
    assert not is_own([*headers("localhost"), *headers("localhost")], ALLOWED)


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_text_that_is_not_an_allowed_host_passes(host, origin):
    name = host.strip().lower().rpartition(":")[0] or host.strip().lower()
    if name.rstrip(".") not in ALLOWED:
        assert not is_own(headers(host, origin), ALLOWED)
