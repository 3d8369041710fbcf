"""ONNX graphs, rewritten to compute the same."""

from __future__ import annotations

from collections import Counter
from typing import Any


def without_notes(model: Any) -> Any:
    """Leave out what the exporter notes of itself: it is half of a small file, and holds paths of this machine."""
    graph = model.graph
    del model.metadata_props[:]
    for item in [graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer]:
        del item.metadata_props[:]
        item.doc_string = ""
    for function in model.functions:
        del function.metadata_props[:]
        for node in function.node:
            del node.metadata_props[:]
            node.doc_string = ""
    return model


def relu_before_pooling(model: Any) -> Any:
    """Put each ReLU that follows a largest-value pooling before it: the same function, as both keep the order of numbers.

    So pooling may stay in int8: what goes in and what comes out then have the same scale.
    """
    graph = model.graph
    uses = Counter(name for node in graph.node for name in node.input)
    outputs = {item.name for item in graph.output}
    makers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        pooling = makers.get(node.input[0]) if node.op_type == "Relu" else None
        if pooling is None or pooling.op_type != "MaxPool" or len(pooling.output) > 1:
            continue
        if uses[node.input[0]] > 1 or node.input[0] in outputs:
            continue
        relu, late = type(node)(), type(node)()
        relu.CopyFrom(node)
        late.CopyFrom(pooling)
        relu.input[0], relu.output[0] = pooling.input[0], pooling.output[0]
        late.input[0], late.output[0] = pooling.output[0], node.output[0]
        pooling.CopyFrom(relu)
        node.CopyFrom(late)
    # The shapes that were noted may belong to the other node now; they are inferred again.
    del graph.value_info[:]
    return model
