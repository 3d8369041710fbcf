"""Which key opens which door: one table of every path, and what a request must show before anybody reads its body."""

from __future__ import annotations

from urllib.parse import urlsplit

from .keys import Key, Ring
from .refusal import Refused
from .settings import Serve

PUBLIC = ""
# Path -> scope that a key must have; the same on every verb. Anything else asks for `predict`, also what is not there.
SCOPES: dict[str, str] = {
    "/": PUBLIC,
    "/about": PUBLIC,
    "/about/words": PUBLIC,
    "/openapi.json": PUBLIC,
    "/v2/health/live": PUBLIC,
    "/v2/health/ready": PUBLIC,
    "/v2": "predict",
    "/v2/models/{model}": "predict",
    "/v2/models/{model}/ready": "predict",
    "/v2/models/{model}/infer": "predict",
    "/v2/models/{model}/versions/{version}": "predict",
    "/v2/models/{model}/versions/{version}/ready": "predict",
    "/v2/models/{model}/versions/{version}/infer": "predict",
    "/predict": "predict",
    "/explain": "predict",
    "/feedback": "feedback",
    "/feedback/summary": "admin",
    "/metrics": "metrics",
}
PUBLIC_PATHS = frozenset(path for path, scope in SCOPES.items() if scope == PUBLIC)
# The routes that language models have besides.
OPENAI_SCOPES = dict.fromkeys(("/v1/models", "/v1/completions", "/v1/chat/completions", "/v1/embeddings"), "predict")
EVERY = {**SCOPES, **OPENAI_SCOPES}
LOCAL = ("localhost", "127.0.0.1", "::1")
Headers = dict[bytes, bytes]


def route_of(path: str) -> str:
    """Return the entry of the table that a path belongs to, or `other`."""
    if path in EVERY:
        return path
    parts = path.split("/")
    if len(parts) >= 4 and parts[1:3] == ["v2", "models"]:
        pattern = ["", "v2", "models", "{model}", *parts[4:]]
        if len(parts) >= 6 and parts[4] == "versions":
            pattern[5] = "{version}"
        route = "/".join(pattern)
        return route if route in SCOPES else "other"
    return "other"


def parameters_of(route: str, path: str) -> dict[str, str]:
    """Return what stands in a path where its entry in the table has names in braces."""
    pairs = zip(route.split("/"), path.split("/"), strict=True)
    return {name[1:-1]: value for name, value in pairs if name.startswith("{")}


def asks_model(route: str, method: str) -> bool:
    """Say whether a request will wait for the model."""
    return method == "POST" and (
        route in ("/predict", "/explain") or route.endswith("/infer") or route.startswith("/v1/")
    )


def names_of(settings: Serve) -> frozenset[str]:
    """Return the names under which this server may be called."""
    return frozenset({*LOCAL, settings.host, *settings.hosts} - {"0.0.0.0", "::"})


def is_public(host: str) -> bool:
    """Say whether others than this machine can reach an address."""
    return host not in LOCAL and not host.startswith("127.")


def check_names(headers: Headers, names: frozenset[str]) -> None:
    """Refuse a request under another name than ours: somebody else's page that was led here by a false address.

    Raises:
        Refused: 400 for the name, 403 for a page of another site.
    """
    host = _bare(headers.get(b"host", b"").decode("latin-1"))
    if host not in names:
        raise Refused(400, "a name that this server does not have", field="Host", expected="one of serve.hosts")
    origin = headers.get(b"origin", b"").decode("latin-1")
    if origin and (urlsplit(origin).hostname or "") not in names:
        raise Refused(403, "a page of another site asks", field="Origin", expected="a page of this server")


def _bare(host: str) -> str:
    """Return the host without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def check_key(headers: Headers, route: str, ring: Ring) -> Key | None:
    """Return the key of a request; none is needed where none was ever made.

    Raises:
        Refused: 401, the same for every bad key; 403 for a good one that may not do this.
    """
    scope = EVERY.get(route, "predict")
    if scope == PUBLIC or not ring.demanded:
        return None
    key = ring.find(_presented(headers))
    if key is None:
        raise Refused(401, "no valid key", field="Authorization", expected="Bearer mw_...")
    if not key.may(scope):
        raise Refused(403, "the key may not do this", field="Authorization", expected=f"a key with the scope {scope}")
    return key


def _presented(headers: Headers) -> str:
    given = headers.get(b"authorization", b"").decode("latin-1")
    if given[:7].lower() == "bearer ":
        return given[7:].strip()
    return headers.get(b"x-api-key", b"").decode("latin-1").strip()
