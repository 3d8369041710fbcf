"""Asking a served release one question over HTTP, as any client would: the proof that it answers here, under these settings."""

from __future__ import annotations

import json
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from ...core.errors import DataError, RecipeError
from ...core.files import write_bytes
from ...sources.files import read_bytes
from ...sources.images import decode
from .simple import JSON

# Longer than this is no name of a file.
NAME_LIMIT = 256
# What a connection and a handshake may take beside the answer.
PATIENCE_SECONDS = 5.0


def ask_once(
    address: str, key: str, question: str, certificate: str, seconds: float, out: Path | None = None
) -> dict[str, Any]:
    """Send one question to `/predict`: a text, a JSON object of fields, or a file of either or of a picture.

    An answer that is a picture is written to `out`, where that is given.

    Raises:
        DataError: the question cannot be read, or was not answered; says what the server said.
    """
    kind, body = _body_of(key, question)
    request = Request(f"{address}/predict", body, {"Content-Type": kind})
    began = time.perf_counter()
    try:
        with urlopen(request, timeout=seconds + PATIENCE_SECONDS, context=_trusting(certificate)) as answer:
            given, content = answer.headers.get_content_type(), answer.read()
            took = round(time.perf_counter() - began, 4)
    except HTTPError as error:
        said = json.loads(error.read() or b"{}").get("error", error.reason)
        raise DataError(f"answered with {error.code}: {said}", where=question[:40], expected="an answer") from None
    except URLError as error:
        raise DataError(f"no answer: {error.reason}", where=address, expected="an answer over HTTP") from None
    if given == JSON:
        found: dict[str, Any] = json.loads(content)
        if out is not None:
            raise RecipeError("the answer is no picture", where="serve --out", next_step="leave --out away")
        return found
    pixels = decode(content)
    if out is not None:
        write_bytes(out, content)
    kept = {"picture": str(out) if out else "", "bytes": len(content), "seconds": took}
    return {**kept, "height": pixels.shape[0], "width": pixels.shape[1]}


def _body_of(key: str, question: str) -> tuple[str, bytes]:
    """Return type and bytes of what is sent."""
    path = Path(question)
    content = question.encode()
    if key == "image" or (len(question) < NAME_LIMIT and path.is_file()):
        content = read_bytes(path)
    if key == "image":
        return "application/octet-stream", content
    try:
        text = content.decode()
        return "application/json", json.dumps({key: json.loads(text) if key == "fields" else text}).encode()
    except ValueError as error:
        raise DataError(
            f"this cannot be sent: {error}",
            where=question[:40],
            expected="a JSON object, column by column" if key == "fields" else "a text in UTF-8",
        ) from None


def _trusting(certificate: str) -> ssl.SSLContext | None:
    """Trust the very certificate that this server shows; by its name it may be called from elsewhere only."""
    if not certificate:
        return None
    context = ssl.create_default_context(cafile=certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    return context
