"""The application behind the gate: every route, what it answers, and its line in the OpenAPI page."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from functools import cache, partial
from importlib.metadata import version
from typing import Any

import anyio
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from ...core import registry
from . import documented
from .access import PUBLIC_PATHS
from .documented import body_of, path_of, question_of, responses, with_keys
from .feedback import COMMENT, KINDS, label_of, store_comment, store_feedback, summarise
from .pages import about_page, playground_page
from .refusal import Refused, bad
from .service import GONE, Gone, Service
from .simple import JSON, read_question
from .strict import read_object, require_known, text_of
from .tensors import HEADER, metadata, read_request, write_response

NAME_LIMIT = 200
# Where an answer is a file, its number stands in this header.
NUMBER = "modelwright-answer"
log = logging.getLogger("modelwright.serve")

Handler = Callable[[Service, Request], Awaitable[Response]]


def answer_json(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON answer; NaN has no place in it."""
    body = json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    return Response(body, status, headers, "application/json")


async def live(service: Service, request: Request) -> Response:
    """Say that the process is alive."""
    return answer_json({"live": True})


async def ready(service: Service, request: Request) -> Response:
    """Say whether questions are answered now; `live` is what the protocol calls it here."""
    return answer_json({"ready": service.ready, "live": True}, 200 if service.ready else 503)


async def server(service: Service, request: Request) -> Response:
    """Describe the server."""
    return answer_json({"name": "modelwright", "version": version("modelwright"), "extensions": ["binary_tensor_data"]})


async def model(service: Service, request: Request) -> Response:
    """Describe the tensors of the model."""
    name, digest = _require_model(service, request)
    return answer_json(metadata(name, digest, service.door.tensors, service.answers.tensors))


async def model_ready(service: Service, request: Request) -> Response:
    """Say whether the model answers now."""
    name, _ = _require_model(service, request)
    return answer_json({"name": name, "ready": service.ready}, 200 if service.ready else 503)


async def infer(service: Service, request: Request) -> Response:
    """Answer tensors with tensors."""
    name, digest = _require_model(service, request, 400)
    body = await request.body()
    header = request.headers.get(HEADER, "")
    asked, examples = await service.read(partial(_read_tensors, service, body, header), len(body))
    found = await service.ask(examples, request.receive)
    head: dict[str, Any] = {"model_name": name, "model_version": digest}
    if asked.id:
        head["id"] = asked.id
    head["parameters"] = {"answers": " ".join(map(service.number, found))}
    values = service.answers.values(found)
    written = {tensor.name: (tensor, values[tensor.name]) for tensor in service.answers.tensors}
    write = partial(write_response, head, written, asked.outputs)
    content, headers = await service.read(write, 0, slow=service.answers.file is not None)
    return Response(content, 200, headers)


def _read_tensors(service: Service, body: bytes, header: str) -> Any:
    asked = read_request(body, header, service.door.tensors, service.answers.tensors, service.settings.inputs)
    return asked, service.prepare(service.door.from_tensors(asked.values), [])


def _require_model(service: Service, request: Request, status: int = 404) -> tuple[str, str]:
    # Of an inference that fails the protocol knows no other status than 400.
    name, digest = service.served.name, service.served.digest[:12]
    asked = request.path_params
    if asked["model"] != name or asked.get("version", digest) != digest:
        raise Refused(status, "no such model", field="model", expected=f"{name}, version {digest}")
    return name, digest


async def predict(service: Service, request: Request) -> Response:
    """Answer one input or a list of them; where an answer is a file, one comes as it is, unless JSON is asked for."""
    body = await request.body()
    kind = request.headers.get("content-type", "")
    examples, many = await service.read(partial(_read_simple, service, kind, body), len(body), service.door.slow)
    found = await service.ask(examples, request.receive)
    file = service.answers.file
    if file is not None and not many and JSON not in request.headers.get("accept", ""):
        content = await service.read(partial(file, found[0]), 0, slow=True)
        return Response(content, 200, {NUMBER: service.number(found[0])}, service.answers.kind)
    answers = await service.read(lambda: [service.told(row) for row in found], 0, slow=file is not None)
    return answer_json({"answers": answers} if many else answers[0])


def _read_simple(service: Service, kind: str, body: bytes) -> Any:
    columns, names, many = read_question(service.door, kind, body, service.settings.inputs)
    return service.prepare(columns, names), many


async def explain(service: Service, request: Request) -> Response:
    """Answer one input, with the probability of every class and how much each part of the input adds."""
    body = await request.body()
    kind = request.headers.get("content-type", "")
    if service.explainer is None:
        raise Refused(404, "what this model answers is not explained", expected="/predict")
    columns = await service.read(partial(_read_one, service, kind, body), len(body), service.door.slow)
    found = await service.explainer(service.ask_columns, service.door, columns)
    probabilities = found.pop("probabilities")
    told = service.told(probabilities)
    by_class = dict(zip(service.served.classes, map(float, probabilities), strict=True))
    shown = {name: told[name] for name in ("id", "label", "probability")}
    return answer_json({**shown, "probabilities": by_class, **found})


def _read_one(service: Service, kind: str, body: bytes) -> Any:
    columns, names, many = read_question(service.door, kind, body, 1)
    if many:
        raise bad("body", "a list", "one input")
    service.prepare(columns, names)
    return columns


async def feedback(service: Service, request: Request) -> Response:
    """Keep what somebody says of an answer."""
    found = read_object(await request.body())
    require_known(found, ("id", "right", "label", "comment"))
    answer = text_of(found.get("id"), "id", NAME_LIMIT)
    label = label_of(service.store.secret, answer, service.answers.names)
    if not isinstance(found.get("right"), bool):
        raise bad("right", "the field is missing" if "right" not in found else "not a boolean", "true or false")
    right_label = text_of(found.get("label", ""), "label", NAME_LIMIT)
    comment = text_of(found.get("comment", ""), "comment", COMMENT)
    await anyio.to_thread.run_sync(store_feedback, service.store, answer, label, found["right"], right_label, comment)
    return answer_json({"stored": True})


async def feedback_summary(service: Service, request: Request) -> Response:
    """Return counts, the share of answers called wrong, and the latest words."""
    return answer_json(await anyio.to_thread.run_sync(summarise, service.store))


async def words(service: Service, request: Request) -> Response:
    """Keep a comment on the model, or an appeal against an answer."""
    found = read_object(await request.body())
    require_known(found, ("kind", "answer", "name", "text"))
    kind = found.get("kind", KINDS[0])
    if kind not in KINDS:
        raise bad("kind", "an unknown kind", f"one of {', '.join(KINDS)}")
    answer = text_of(found.get("answer", ""), "answer", NAME_LIMIT)
    name = text_of(found.get("name", ""), "name", NAME_LIMIT)
    text = text_of(found.get("text"), "text", COMMENT)
    if not text.strip():
        raise bad("text", "nothing", "some words")
    await anyio.to_thread.run_sync(store_comment, service.store, kind, answer, name, text)
    return answer_json({"stored": True})


async def metrics(service: Service, request: Request) -> Response:
    """Return the metrics of the server."""
    return Response(service.measures.text(service.batcher, service.ready), media_type="text/plain; version=0.0.4")


async def playground(service: Service, request: Request) -> Response:
    """Show the page on which to try the model."""
    page = playground_page(service.served, service.door, service.settings, explains=service.explainer is not None)
    return Response(page.html, headers=page.headers)


async def about(service: Service, request: Request) -> Response:
    """Show the card of the model, its limits, and a place for comments and appeals."""
    page = about_page(service.served)
    return Response(page.html, headers=page.headers)


# What waits for the model, by its entry in the table of paths: the gate calls these itself.
DIRECT: dict[str, Handler] = {
    "/predict": predict,
    "/explain": explain,
    "/v2/models/{model}/infer": infer,
    "/v2/models/{model}/versions/{version}/infer": infer,
}


def build_application(service: Service) -> FastAPI:
    """Return the application of a service, without its gate."""
    # The interactive pages of the framework load their scripts from elsewhere; ours need nothing but this server.
    app = FastAPI(title=service.served.name, version=service.served.digest[:12], docs_url=None, redoc_url=None)
    door = service.door
    html = partial(responses, {"type": "string"}, content="text/html")
    routes: list[tuple[str, str, Handler, dict[int | str, Any], dict[str, Any]]] = [
        ("GET", "/", playground, html(), {}),
        ("GET", "/about", about, html(), {}),
        ("POST", "/about/words", words, responses(documented.THANKS), body_of(documented.WORDS)),
        ("GET", "/v2/health/live", live, responses(documented.LIVE), {}),
        ("GET", "/v2/health/ready", ready, _with_unready(responses(documented.READY)), {}),
        ("GET", "/v2", server, responses(documented.OBJECT), {}),
        ("POST", "/predict", predict, documented.answers_of(service.answers), question_of(door, many=True)),
        ("POST", "/feedback", feedback, responses(documented.THANKS), body_of(documented.FEEDBACK)),
        ("GET", "/feedback/summary", feedback_summary, responses(documented.OBJECT), {}),
        ("GET", "/metrics", metrics, responses({"type": "string"}, content="text/plain"), {}),
    ]
    if service.explainer is not None:
        asked = question_of(door, many=False)
        routes.append(("POST", "/explain", explain, responses(documented.EXPLANATION, 415, *documented.ASKING), asked))
    name, digest = service.served.name, service.served.digest[:12]
    for base, path in (
        ("/v2/models/{model}", path_of(model=name)),
        ("/v2/models/{model}/versions/{version}", path_of(model=name, version=digest)),
    ):
        answers = responses(documented.INFER_RESPONSE, *documented.ASKING)
        answers[200]["content"]["application/octet-stream"] = {"schema": {"type": "string", "format": "binary"}}
        example = documented.infer_example(door.tensors)
        body = body_of(documented.INFER_REQUEST, "application/octet-stream", example=example)
        routes += [
            ("GET", base, model, responses(documented.OBJECT, 404), path),
            ("GET", f"{base}/ready", model_ready, _with_unready(responses(documented.READY, 404)), path),
            ("POST", f"{base}/infer", infer, answers, {**path, **body}),
        ]
    if service.served.modality in registry.names("routes"):
        routes += registry.function_of("routes", service.served.modality)(service)
    for method, place, handler, answers, extra in routes:
        app.add_api_route(
            place, _bound(handler, service), methods=[method], responses=answers, openapi_extra=extra,
            name=f"{handler.__name__}{'_version' if 'version}' in place else ''}",
            description=handler.__doc__, response_class=Response, response_model=None,
        )  # fmt: skip
    made = app.openapi
    app.openapi = cache(lambda: with_keys(made(), PUBLIC_PATHS))  # type: ignore[method-assign]
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(Gone, _gone)
    app.add_exception_handler(HTTPException, _not_found)
    app.add_exception_handler(Exception, _bug)
    return app


def _bound(handler: Handler, service: Service) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await handler(service, request)

    return endpoint


def _with_unready(answers: dict[int | str, Any]) -> dict[int | str, Any]:
    content = {"application/json": {"schema": documented.READY}}
    return {**answers, 503: {"description": "not ready yet, or shutting down", "content": content}}


def note_failure(error: Refused, method: str, place: str) -> None:
    """Tell the log why the model failed; the client only learns that it did."""
    if error.status == 500:
        log.error("%s %s: %s", method, place, error, exc_info=error.__cause__)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    note_failure(error, request.method, request.url.path)
    return answer_json(error.body(), error.status, error.headers())


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=GONE)


async def _not_found(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    return answer_json({"error": str(error.detail)}, error.status_code, headers)


async def _bug(request: Request, error: Exception) -> Response:
    return answer_json({"error": f"a bug of the server: {type(error).__name__}"}, 500)
