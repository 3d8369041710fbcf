"""How long a step takes on devices that are not here: operations by a roofline, messages by what links really carry."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from .log import Log, Operation

# A message takes so long before its first byte arrives, and again for each doubling of the processes.
BEGIN_SECONDS, HOP_SECONDS = 1.5e-5, 4e-6
# By its name, how often a process sends the bytes of a message, of n processes: (n - 1) / n times this.
TIMES = {"allreduce": 2.0, "all_reduce": 2.0}
BETWEEN_TWO = ("send", "recv")
# What only looks at memory that is there, or asks for some without touching it.
FREE = frozenset(
    {
        *("view", "_unsafe_view", "t", "transpose", "permute", "reshape", "expand", "alias", "detach", "as_strided"),
        *("split", "slice", "select", "unbind", "squeeze", "unsqueeze", "chunk", "narrow"),
        *("empty", "empty_like", "empty_strided", "new_empty"),
    }
)


@dataclass(frozen=True)
class Device:
    """What a device and its links reach in training, in operations and bytes a second. `factor`: real steps are 1 / factor as long.

    `devices`: of one machine, joined by links; those of different machines meet over the network.
    """

    flops_per_second: float
    float32_flops_per_second: float
    attention_flops_per_second: float
    bytes_per_second: float
    link_bytes_per_second: float
    network_bytes_per_second: float
    overhead_seconds: float
    devices: int
    factor: float = 1.0


@dataclass(frozen=True)
class StepTime:
    """Seconds of a step of one process: work, messages that the work waits for, and messages beside the work."""

    work: float
    waited: float
    beside: float

    @property
    def seconds(self) -> float:
        """What goes on beside the work only counts where it takes longer."""
        return max(self.work + self.waited, self.beside)


def step_time(log: Log, device: Device) -> StepTime:
    """Return how long the last step of a log takes on a device.

    Units: seconds
    Source: Williams, Waterman and Patterson 2009, Roofline, equation 1; of messages Thakur, Rabenseifner and Gropp 2005, section 2.
    """
    work = waited = beside = 0.0
    launched = 0
    for (number, stream), count in _calls(log).items():
        operation = log.operations[number]
        if operation.group:
            seconds = count * message_seconds(operation, device)
            waited, beside = (waited + seconds, beside) if stream == 0 else (waited, beside + seconds)
        else:
            work += count * operation_seconds(operation, device)
            launched += 0 if _is_free(operation) else count
    # A device works on what has been launched while the next is launched: the slower of the two counts.
    work = max(work, launched * device.overhead_seconds)
    return StepTime(work / device.factor, waited / device.factor, beside / device.factor)


def _calls(log: Log) -> Counter[tuple[int, int]]:
    """Return how often each operation is called on each stream in the last step."""
    steps: list[Counter[tuple[int, int]]] = []
    inside, stream = False, 0
    for event in log.events:
        if event[0] == "phase":
            inside = event[1] == "training"
            if inside:
                steps.append(Counter())
        elif event[0] == "stream":
            stream = event[1]
        elif inside and event[0] == "call":
            steps[-1][event[1], stream] += 1
    return next((step for step in reversed(steps) if len(step) > 1), Counter())


def _is_free(operation: Operation) -> bool:
    return operation.name.split(".")[0] in FREE


def operation_seconds(operation: Operation, device: Device) -> float:
    """Return the time of one call, bound by arithmetic or by memory.

    Units: seconds
    Source: Williams, Waterman and Patterson 2009, Roofline, equation 1.
    """
    if _is_free(operation):
        return 0.0
    rate = device.flops_per_second if operation.width == 2 else device.float32_flops_per_second
    if operation.kind == "attention":
        rate = min(device.attention_flops_per_second, rate)
    moved = (operation.inputs + operation.outputs) / device.bytes_per_second
    return max(operation.flops / rate, moved)


def message_seconds(operation: Operation, device: Device) -> float:
    """Return the time of one message.

    Units: seconds
    Source: Thakur, Rabenseifner and Gropp 2005, section 2: begin, and bytes times (n - 1) / n over the bandwidth.
    """
    ranks = operation.group
    n = len(ranks)
    if n < 2:
        return 0.0
    within = ranks[0] // device.devices == ranks[-1] // device.devices
    rate = device.link_bytes_per_second if within else device.network_bytes_per_second
    name = operation.name.split(".")[1]
    begin = BEGIN_SECONDS + HOP_SECONDS * (n - 1).bit_length()
    if name.startswith(BETWEEN_TWO):
        return begin + operation.inputs / rate
    times = next((factor for word, factor in TIMES.items() if name.startswith(word)), 1.0)
    whole = max(operation.outputs, operation.inputs - operation.outputs)
    return begin + times * whole * (n - 1) / n / rate


def bytes_sent(log: Log) -> dict[str, float]:
    """Return the bytes of all messages of the last step of one process, by the kind of message.

    Units: bytes
    Source: none; a sum.
    """
    sent: Counter[str] = Counter()
    for (number, _), count in _calls(log).items():
        operation = log.operations[number]
        if operation.group and not operation.name.split(".")[1].startswith("recv"):
            whole = max(operation.outputs, operation.inputs - operation.outputs)
            sent[f"{operation.name.split('.')[1].strip('_')} among {len(operation.group)}"] += count * whole
    return dict(sent)


def pipeline_seconds(slowest: float, stages: int, micro_batches: int, stretches: int = 1) -> float:
    """Return the time of a step of a pipeline, of which the slowest process works so long: the others wait at both ends.

    Units: seconds
    Source: Narayanan et al. 2021, sections 2.2.1 and 2.2.2: the bubble is (stages - 1) / (micro-batches * stretches) of the work.
    """
    return slowest * (1 + (stages - 1) / (micro_batches * stretches))
