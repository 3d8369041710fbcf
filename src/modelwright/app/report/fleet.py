"""The devices of a plan in the report: machines as rows, devices as cells, and what the processes that differ need."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from ..fleet import legend_of, machines_left, places_of
from . import bilingual
from .drawing import join, tag
from .quantities import quantity


def draw_fleet(plan: dict[str, Any]) -> Markup:
    """Return the drawing; empty where the plan is for the machine at hand."""
    fleet = plan.get("fleet")
    if not fleet:
        return Markup("")
    rows = [
        tag(
            "tr",
            tag("th", f"{plan['machine']} {number}", scope="row"),
            *(tag("td", tag("code", str(place.rank)), " ", place.label) for place in places),
        )
        for number, places in places_of(fleet)
    ]
    left = machines_left(fleet)
    more = tag("p", bilingual.say("More machines alike:"), f" {left}", class_="note") if left else ""
    needs = [
        tag(
            "tr",
            tag("th", f"{process['rank']}, {process['role']}", scope="row"),
            *(
                tag("td", text, class_="number")
                for text in (
                    quantity(process["reserved"], "bytes"),
                    quantity(process["live"], "bytes"),
                    quantity(process["time"]["work"], "seconds"),
                    quantity(process["time"]["waited"] + process["time"]["beside"], "seconds"),
                )
            ),
        )
        for process in fleet["processes"]
    ]
    words = ("Process", "Reserved", "In tensors", "Work", "Messages")
    head = tag("tr", *(tag("th", bilingual.say(word), scope="col") for word in words))
    return join(
        [
            tag("h3", bilingual.say("Devices")),
            tag("p", fleet["name"], "; ", legend_of(fleet), class_="note"),
            tag("table", tag("tbody", *rows), class_="plain fleet"),
            more,
            tag("table", tag("thead", head), tag("tbody", *needs), class_="plain"),
        ]
    )
