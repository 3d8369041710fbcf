"""Sealing and opening a large file: megabytes a second of one core, and the most memory that the process takes.

Content that cannot be compressed goes through `modelwright.core.sealing` into a file and back, in a process of its own; beside
it, the same bytes are only copied, so that what the disk costs can be told from what the cipher costs. Writes `results/sealing.json`.

Usage: python benchmarks/sealing.py [--mebibytes 2048] [--folder FOLDER]
"""

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from side_by_side import spread, write_line, write_result

MEBIBYTE = 1 << 20


def one(mebibytes: int, folder: Path) -> dict[str, float]:
    """Seal, open and copy once; return the rates by the clock and by the processor, and the peak of memory."""
    import shutil

    from modelwright.core.sealing import Key, seal_file, unseal_file

    os.environ["BENCHMARK_KEY"] = "05" * 32
    key = Key(bytes.fromhex(os.environ["BENCHMARK_KEY"]), "env:BENCHMARK_KEY")
    plain, sealed, back = folder / "plain", folder / "sealed", folder / "back"
    block = os.urandom(MEBIBYTE)
    with plain.open("wb") as stream:
        for number in range(mebibytes):
            stream.write(number.to_bytes(8, "big") + block[8:])
    found: dict[str, float] = {}
    for name, work in (
        ("seal", lambda: seal_file(plain, sealed, key)),
        ("open", lambda: unseal_file(sealed, back)),
        ("copy", lambda: copy(plain, folder / "copied")),
    ):
        began, cpu = time.monotonic(), time.process_time()
        work()
        found[f"{name}_megabytes_per_second"] = mebibytes * MEBIBYTE / 1e6 / (time.monotonic() - began)
        found[f"{name}_megabytes_per_cpu_second"] = mebibytes * MEBIBYTE / 1e6 / (time.process_time() - cpu)
    found["peak_mebibytes"] = peak_kibibytes() / 1024
    for path in (sealed, back, folder / "copied", plain):
        path.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    return found


def peak_kibibytes() -> int:
    """Return the most memory that this process has had; what it was forked from does not count."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def copy(source: Path, target: Path) -> None:
    """Copy by reading and writing a mebibyte at a time, as sealing does."""
    with source.open("rb") as stream, target.open("wb") as out:
        while content := stream.read(MEBIBYTE):
            out.write(content)


def main() -> None:
    """Repeat in fresh processes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mebibytes", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the files lie meanwhile (default: a temporary folder)")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "sealing.json")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(dir=options.folder))
    if options.one:
        print(json.dumps(one(options.mebibytes, place)))
        return
    command = [sys.executable, __file__, "--one", "--mebibytes", str(options.mebibytes), "--folder", str(place)]
    runs = []
    for _ in range(options.repeats):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
        write_line(", ".join(f"{name} {value:.0f}" for name, value in runs[-1].items()))
    place.rmdir()
    report = {name: spread([run[name] for run in runs]) for name in runs[0]}
    versions = {"cryptography": importlib.metadata.version("cryptography")}
    write_result(
        options.output,
        {"versions": versions, "mebibytes": options.mebibytes, "report": report, "load": os.getloadavg()[0]},
    )


if __name__ == "__main__":
    main()
