"""The section `serve` of a recipe: how a release is served. Torch-free."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ...core.settings import Bytes, Seconds, Sequence, Settings
from ...sources.images import DEFAULT_MAX_PIXELS, PILLOW_MAX_PIXELS


class Serve(Settings):
    """How a release is served; stored in the release, so that serving needs no recipe."""

    host: str = Field("127.0.0.1", description="address to listen on; any but this machine's own demands a key")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="port to listen on; 0: any that is free")
    hosts: Sequence[str] = Field(
        (), description="names under which the server may be called, besides its address and localhost"
    )
    batch: Annotated[int, Field(ge=1, le=4096)] = Field(
        64,
        description="examples computed together at most; 1: each alone, so that no answer can depend on another request",
    )
    delay_ms: Annotated[float, Field(ge=0, le=1000)] = Field(
        0.0, description="how long a request waits for others when the model is idle; 0: not at all"
    )
    queue: Annotated[int, Field(ge=1, le=100_000)] = Field(64, description="requests that may wait; more are refused")
    deadline_ms: Annotated[float, Field(gt=0, le=600_000)] = Field(
        900.0, description="how long a request may take; what cannot be done in that time is refused at once"
    )
    threads: Annotated[int, Field(ge=1, le=256)] = Field(1, description="CPU threads of the model")
    rate: Annotated[float, Field(ge=0)] = Field(
        0.0, description="requests a second that a key, or an address without one, may send; 0: any number"
    )
    burst: Annotated[int, Field(ge=1)] = Field(20, description="requests that may come at once before the rate holds")
    inputs: Annotated[int, Field(ge=1, le=100_000)] = Field(256, description="inputs in one request at most")
    text_limit: Annotated[int, Field(ge=1)] = Field(100_000, description="characters of one text at most")
    pixel_limit: Annotated[int, Field(ge=1, le=PILLOW_MAX_PIXELS)] = Field(
        DEFAULT_MAX_PIXELS, description="pixels of one picture at most; more is refused by its header"
    )
    body_limit: Annotated[Bytes, Field(gt=0)] = Field(
        8 * 2.0**20, description="bytes of a request body at most; more is refused before it is read"
    )
    header_seconds: Annotated[Seconds, Field(gt=0)] = Field(
        10.0, description="how long the head of a request may take to arrive"
    )
    body_seconds: Annotated[Seconds, Field(gt=0)] = Field(
        10.0, description="how long the body of a request may take to arrive"
    )
    drain_seconds: Annotated[Seconds, Field(ge=0)] = Field(
        20.0, description="how long accepted requests may still be answered after SIGTERM"
    )
    certificate: str = Field("", description="path of the TLS certificate chain (PEM); empty: plain HTTP")
    certificate_key: str = Field("", description="path of the private key of the certificate (PEM)")
