"""Every answer of the app is for its own pages: what comes under a foreign name, or from a page of another site or port, is refused."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
REFUSED = b"This address is not one under which moola answers. SECURITY.md says how to allow it."


class OwnOriginAlone:
    """ASGI middleware that answers 403 to a request whose Host is not in `server.allowedHosts`, or whose Origin is not that host and port.

    Streamlit looks at sessions and uploads alone; this looks at health, metrics and files too, and at the port. A request without an
    Origin is no page's: a browser sends one with every session and with whatever could change something.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or is_own(scope["headers"], _allowed()):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(REFUSED)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": REFUSED})


def is_own(headers: Sequence[tuple[bytes, bytes]], allowed: Sequence[str]) -> bool:
    """Whether the one Host of a request is allowed, and its Origin, if it has one, is that host and port."""
    hosts = [value for name, value in headers if name == b"host"]
    origins = [value for name, value in headers if name == b"origin"]
    host = _place(f"http://{hosts[0].decode('latin-1')}") if len(hosts) == 1 else None
    if host is None or host[0] not in {name.lower().strip("[]") for name in allowed}:
        return False
    if not origins:
        return True
    text = origins[0].decode("latin-1")
    origin, scheme = _place(text), urlsplit(text).scheme if _place(text) else ""
    if len(origins) > 1 or origin is None or origin[0] != host[0]:
        return False
    # A proxy that ends TLS passes a Host without a port on, or with its own.
    usual = PORTS.get(scheme)
    return (origin[1] or usual) == (host[1] or usual)


def _place(address: str) -> tuple[str, int | None] | None:
    """Host and port of an address; None for one that is none, or that holds more than these."""
    try:
        parts = urlsplit(address)
        port, name = parts.port, parts.hostname
    except ValueError:
        return None
    if not name or "@" in parts.netloc or parts.path not in ("", "/") or set("?#") & set(address):
        return None
    if ":" in name:
        try:
            name = str(ipaddress.ip_address(name))
        except ValueError:
            return None
    return name.lower().rstrip("."), port


def _allowed() -> Sequence[str]:
    return list(st.get_option("server.allowedHosts") or [])
