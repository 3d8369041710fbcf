"""A process that does what every training does, on almost nothing: `python -m modelwright.stages.train.base` prints its peak in bytes.

What a training process holds before there are tensors: the interpreter, the libraries, the kernels that they make at first use.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_of_this_process() -> int:
    """Return the most that was resident of this process so far; 0 where the system does not tell.

    Units: bytes
    """
    if not STATUS.exists():
        return 0
    fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return 1024 * int(fields["VmHWM"].split()[0])


def main() -> int:
    """Train a network of a few weights, and store it."""
    import torch
    from safetensors.torch import save_file

    from ...core import execute  # noqa: F401
    from ...engine.memory import keep_freed_memory
    from . import by_steps, diagnosis, run  # noqa: F401

    keep_freed_memory("fast")
    torch.set_num_threads(1)
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(72, 2))
    optimiser = torch.optim.Adam(network.parameters(), fused=True)
    for _ in range(2):
        network(torch.zeros(2, 1, 8, 8)).sum().backward()
        optimiser.step()
    with tempfile.TemporaryDirectory() as folder:
        save_file(network.state_dict(), Path(folder) / "model.safetensors")
    sys.stdout.write(f"{peak_of_this_process()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
