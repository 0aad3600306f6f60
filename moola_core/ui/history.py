"""The browser's Back leads back one page: `history.js` in the head of the app's document, before Streamlit's own script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
SCRIPT = f"<script>{{{Path(__file__).with_suffix('.js').read_text(encoding='utf-8')}}}</script>".encode()
HEAD = b"<head>"
# Of the unchanged file: with them a browser would keep an older script.
STAMPS = (b"etag", b"last-modified", b"content-length")


class OneEntryAPage:
    """ASGI middleware that puts the script into HTML documents."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _wants_document(scope):
            await self.app(scope, receive, send)
            return
        # A compressed or an unchanged document could not be added to.
        unwanted = (b"accept-encoding", b"if-none-match", b"if-modified-since", b"range")
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name not in unwanted]
        start: Message = {}
        body = b""

        async def collect(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            headers = list(start["headers"])
            if any(name == b"content-type" and value.startswith(b"text/html") for name, value in headers):
                body = body.replace(HEAD, HEAD + SCRIPT, 1)
                headers = [(name, value) for name, value in headers if name not in STAMPS]
                headers.append((b"content-length", str(len(body)).encode()))
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, collect)


def _wants_document(scope: Message) -> bool:
    accepted = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    return scope["method"] == "GET" and b"text/html" in accepted
