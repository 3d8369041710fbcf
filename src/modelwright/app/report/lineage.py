"""Where everything came from: stages in a row, what each gave beneath it, lines to the stages that took it."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from .bilingual import say
from .drawing import tag
from .material import Material
from .quantities import seconds, short

BOX, GAP, STAGE_HEIGHT, ARTIFACT_HEIGHT, SPACE, MARGIN = 176, 48, 64, 52, 14, 2
LANE, CORNER = 14, 6


@dataclass(frozen=True)
class Step:
    """One stage with its cost, what it took and what it gave."""

    stage: str
    seconds: str
    cpu_seconds: str
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Lineage:
    """The same facts twice: drawn, and as a list for those who cannot see the drawing."""

    steps: tuple[Step, ...]
    drawing: Markup


def view_lineage(material: Material) -> Lineage | None:
    """Return the graph of a run, or nothing when no stage has finished."""
    steps = []
    for name, record in material.records.items():
        started = next(
            (
                event
                for event in reversed(material.events)
                if event.event == "stage started" and event.data.get("key") == record.key
            ),
            None,
        )
        inputs = started.data.get("inputs") or {} if started else {}
        steps.append(
            Step(
                name,
                seconds(record.seconds),
                seconds(record.cpu_seconds),
                tuple(map(_pair, inputs.items())),
                tuple(map(_pair, record.outputs.items())),
            )
        )
    return Lineage(tuple(steps), _draw(steps)) if steps else None


def _pair(item: tuple[str, str]) -> tuple[str, str]:
    return str(item[0]), str(item[1])


def _draw(steps: list[Step]) -> Markup:
    column = {step.stage: index for index, step in enumerate(steps)}
    makers = {output: step.stage for step in steps for output in step.outputs}
    wires = [(output, makers[output], step.stage) for step in steps for output in step.inputs if output in makers]
    taken = [output for output in makers if any(wire[0] == output for wire in wires)]
    first = MARGIN + STAGE_HEIGHT + 20 + LANE * max(1, len(taken))
    rows = {output: index for step in steps for index, output in enumerate(step.outputs)}
    height = first + max([1, *(len(step.outputs) for step in steps)]) * (ARTIFACT_HEIGHT + SPACE)
    width = len(steps) * (BOX + GAP) - GAP + 2 * MARGIN
    parts = [_trunk(step, column[step.stage], first) for step in steps if step.outputs]
    for output, maker, taker in wires:
        lane = MARGIN + STAGE_HEIGHT + 12 + LANE * taken.index(output)
        ports = [wire[0] for wire in wires if wire[2] == taker]
        port = MARGIN + STAGE_HEIGHT * (ports.index(output) + 1) / (len(ports) + 1)
        start = first + rows[output] * (ARTIFACT_HEIGHT + SPACE) + ARTIFACT_HEIGHT / 2
        parts.append(_wire(column[maker], column[taker], start, lane, port, 6 * (taken.index(output) % 3)))
    for step in steps:
        parts.append(_stage_box(step, _left(column[step.stage])))
        parts += [
            _artifact_box(output, _left(column[step.stage]), first + index * (ARTIFACT_HEIGHT + SPACE))
            for index, output in enumerate(step.outputs)
        ]
    return tag(
        "svg",
        *parts,
        class_="lineage",
        viewBox=f"0 0 {width} {height}",
        style=f"min-width:{0.72 * width:.0f}px;max-width:{width}px",
        aria_hidden="true",
    )


def _left(column: int) -> float:
    return MARGIN + column * (BOX + GAP)


def _trunk(step: Step, column: int, first: float) -> Markup:
    """A line from a stage down to the last thing it gave; boxes cover what lies behind them."""
    x = _left(column) + BOX / 2
    bottom = first + (len(step.outputs) - 1) * (ARTIFACT_HEIGHT + SPACE)
    return tag("line", x1=f"{x:g}", x2=f"{x:g}", y1=MARGIN + STAGE_HEIGHT, y2=f"{bottom:g}", class_="trunk")


def _wire(maker: int, taker: int, start: float, lane: float, port: float, offset: float) -> Markup:
    """A line with round corners: out of the artifact to the right, up to its lane, along it, up and into the stage."""
    out, end = _left(maker) + BOX, _left(taker) - 1
    course = f"M{out:g},{start:g}{_rise(out + 10 + offset, lane)}{_rise(end - 25 + offset, port)} H{end:g}"
    arrow = f"M{end - 5:g},{port - 4:g} L{end:g},{port:g} L{end - 5:g},{port + 4:g}"
    return tag("path", d=course, class_="wire") + tag("path", d=arrow, class_="wire")


def _rise(across: float, height: float) -> str:
    """Go right until `across`, up to `height`, and right again."""
    corner = f"{CORNER},0 {CORNER},-{CORNER}"
    return f" H{across - CORNER:g} q{corner} V{height + CORNER:g} q0,-{CORNER} {CORNER},-{CORNER}"


def _stage_box(step: Step, left: float) -> Markup:
    middle = left + BOX / 2
    return (
        tag("rect", x=f"{left:g}", y=MARGIN, width=BOX, height=STAGE_HEIGHT, rx=10, class_="stage-box")
        + tag(
            "text", say(step.stage, svg=True), x=f"{middle:g}", y=MARGIN + 27, text_anchor="middle", class_="stage-name"
        )
        + tag(
            "text",
            say("{seconds} · CPU {cpu}", svg=True, seconds=step.seconds, cpu=step.cpu_seconds),
            x=f"{middle:g}",
            y=MARGIN + 47,
            text_anchor="middle",
            class_="stage-cost",
        )
    )


def _artifact_box(output: tuple[str, str], left: float, top: float) -> Markup:
    kind, digest = output
    middle = left + BOX / 2
    return (
        tag(
            "rect",
            x=f"{left:g}",
            y=f"{top:g}",
            width=BOX,
            height=ARTIFACT_HEIGHT,
            rx=ARTIFACT_HEIGHT / 2,
            class_="artifact-box",
        )
        + tag(
            "text",
            say(kind, svg=True),
            x=f"{middle:g}",
            y=f"{top + 22:g}",
            text_anchor="middle",
            class_="artifact-kind",
        )
        + tag("text", short(digest), x=f"{middle:g}", y=f"{top + 39:g}", text_anchor="middle", class_="artifact-digest")
    )
