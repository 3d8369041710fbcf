"""One model served by us, by LitServe and by Ray Serve, under the same load, side by side in one run on one machine.

Usage: python benchmarks/serve_load.py --peer-python peers-env/bin/python [--release FOLDER] [--rounds 3] [--slices 8]
Needs `hey` (Debian: apt-get install hey), which is the load, in a process of its own. Loopback only.
"""

import argparse
import csv
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
from side_by_side import HERE, show, spread, write_line, write_result

SIDES = ("ours", "litserve", "ray")
CLIENTS = (1, 8, 64)
BATCH = 64
# Of the overload: one request at a time takes this long, as in the measurements that the bar comes from.
WORK_SECONDS, CROWD, BURST, PATIENCE_SECONDS = 0.02, 500, 1000, 10
START_SECONDS = 120


def main():
    """Run every side in turn, round after round, and write the result."""
    options = read_options()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        release = options.release or make_release(folder)
        body = write_body(release, folder)
        rounds = [one_round(options, release, body, folder / str(number)) for number in range(options.rounds)]
    content = {
        "what": "the same release, one worker process or thread for the model, torch on one thread, JSON both ways",
        "settings": {
            "slices": options.slices,
            "batch": BATCH,
            "work_seconds": WORK_SECONDS,
            "crowd": CROWD,
            "burst": BURST,
        },
        "versions": versions(options.peer_python),
        "ratios": ratios(rounds),
        "overload": {side: pooled([item[side]["overload"] for item in rounds]) for side in SIDES},
        "rounds": rounds,
    }
    show("peer over ours (latency), ours over peer (requests/s)", content["ratios"])
    write_line(json.dumps(content["overload"], indent=1))
    write_result(options.out, content)


def read_options():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", required=True, help="a Python with torch, litserve and ray[serve]")
    parser.add_argument("--release", type=Path, help="a release of pictures (default: recipes/digits.yaml is run)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--slices", type=int, default=8, help="seconds of each load, taken in turn with the other sides"
    )
    parser.add_argument("--out", type=Path, default=HERE / "results" / "serve_load.json")
    return parser.parse_args()


def make_release(folder):
    """Run the recipe of the demonstration."""
    command = [sys.executable, "-m", "modelwright", "run", str(HERE.parent / "recipes" / "digits.yaml")]
    subprocess.run([*command, "--runs", str(folder / "runs")], check=True, stdout=subprocess.DEVNULL)
    return folder / "runs" / "digits" / "release"


def write_body(release, folder):
    """Write one request of the Open Inference Protocol."""
    learnt = json.loads((release / "preprocessing.json").read_text())
    shape = [1, learnt["height"], learnt["width"], learnt["channels"]]
    pixels = np.random.default_rng(0).integers(0, 256, shape).ravel().tolist()
    body = folder / "body.json"
    body.write_text(json.dumps({"inputs": [{"name": "image", "shape": shape, "datatype": "UINT8", "data": pixels}]}))
    return body


def one_round(options, release, body, folder):
    """Measure latencies and throughput, then the crowd; all sides are up, and loaded in turn, one slice after the other."""
    found = {side: {"load_before": os.getloadavg()[0]} for side in SIDES}
    with ExitStack() as stack:
        urls = {side: stack.enter_context(served(options, side, release, BATCH, 0.0, folder / side)) for side in SIDES}
        for side in SIDES:
            wait_until_answered(*urls[side])
            load(urls[side][0], body, 8, seconds=2)
        for clients in CLIENTS:
            slices = {side: [] for side in SIDES}
            for _ in range(options.slices):
                for side in SIDES:
                    slices[side].append(load(urls[side][0], body, clients, seconds=1))
            for side in SIDES:
                found[side][f"{clients} clients"] = told(slices[side])
    with ExitStack() as stack:
        urls = {
            side: stack.enter_context(served(options, side, release, 1, WORK_SECONDS, folder / f"{side}-slow"))
            for side in SIDES
        }
        for side in SIDES:
            wait_until_answered(*urls[side])
        for side in SIDES:
            found[side]["overload"] = overload(urls[side][0], body, 3)
    for side in SIDES:
        write_line(f"{side}: {json.dumps(found[side])}")
    return found


@contextmanager
def served(options, side, release, batch, seconds, state):
    """Serve with one side until the block ends; give the address to ask, and the process."""
    port = free_port()
    scripts = {
        "ours": HERE / "ours_serve.py",
        "litserve": HERE / "peers/serve_litserve.py",
        "ray": HERE / "peers/serve_ray.py",
    }
    python = sys.executable if side == "ours" else options.peer_python
    arguments = [str(release), str(port), str(batch), str(seconds), str(state)]
    quiet = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "RAY_USAGE_STATS_ENABLED": "0"}
    process = subprocess.Popen(
        [python, str(scripts[side]), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | quiet, start_new_session=True,
    )  # fmt: skip
    path = {"ours": f"/v2/models/{release_name(release)}/infer", "litserve": "/predict", "ray": "/"}[side]
    try:
        yield f"http://127.0.0.1:{port}{path}", process
    finally:
        end(process)


def release_name(release):
    """Return the name under which we serve it."""
    return json.loads((release / "recipe.json").read_text())["name"]


def free_port():
    """Return a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_answered(url, process):
    """Wait until a server knows the route, whatever it thinks of an empty question."""
    end_at = time.monotonic() + START_SECONDS
    while time.monotonic() < end_at and process.poll() is None:
        try:
            urllib.request.urlopen(urllib.request.Request(url, b"{}", {"Content-Type": "application/json"}), timeout=5)
            return
        except urllib.error.HTTPError as error:
            if error.code in (400, 422, 500):
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"{process.args} does not answer")


def end(process):
    """Stop a server and whatever it has started."""
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def load(url, body, clients, *, seconds=0, count=0, rate=0):
    """Send requests from clients that each wait for their answer; return [(seconds, status, offset)].

    `rate` bounds each client's requests a second.
    """
    amount = ["-z", f"{seconds}s"] if seconds else ["-n", str(count)]
    pace = ["-q", str(rate)] if rate else []
    command = ["hey", *amount, *pace, "-c", str(clients), "-t", str(PATIENCE_SECONDS), "-o", "csv", "-m", "POST"]
    done = subprocess.run(
        [*command, "-T", "application/json", "-D", str(body), url], capture_output=True, text=True, check=True
    )
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    return [(float(row["response-time"]), int(row["status-code"]), float(row["offset"])) for row in rows]


def told(slices):
    """Return the medians over slices of one second: latencies in milliseconds and answers a second."""
    times = [np.array([row[0] for row in rows if row[1] == 200]) for rows in slices]
    return {
        "p50_ms": round(float(np.median([np.quantile(item, 0.5) for item in times])) * 1e3, 3),
        "p99_ms": round(float(np.median([np.quantile(item, 0.99) for item in times])) * 1e3, 3),
        "per_second": round(float(np.median([len(item) for item in times])), 1),
        "not_answered": sum(map(len, slices)) - sum(map(len, times)),
    }


def overload(url, body, seconds):
    """Measure the capacity with two clients; then a crowd at once; then one client right after it."""
    load(url, body, 1, count=5)
    before = load(url, body, 2, seconds=seconds)
    capacity = len(before) / seconds
    live = Liveness(url) if "/v2/" in url else None
    began = time.monotonic()
    rows = load(url, body, CROWD, count=BURST)
    wall = time.monotonic() - began
    slowest = live.stop() if live else None
    time.sleep(1)
    after = load(url, body, 1, seconds=2)
    good = sorted(row[0] for row in rows if row[1] == 200)
    refused = sorted(row[0] for row in rows if row[1] in (429, 503))
    lasted = max((row[0] + row[2] for row in rows if row[1] == 200), default=wall)
    return {
        "capacity_per_second": round(capacity, 1),
        "two_clients_ms": quantiles([row[0] for row in before]),
        "answered": len(good),
        "answered_ms": quantiles(good),
        "refused": len(refused),
        "refused_ms": quantiles(refused),
        "other_statuses": len(rows) - len(good) - len(refused),
        "timed_out": BURST - len(rows),
        "lasted_seconds": round(lasted, 2),
        "goodput_of_capacity": round(len(good) / lasted / capacity, 3),
        "liveness_slowest_ms": slowest,
        "one_client_right_after_ms": quantiles([row[0] for row in after]),
    }


class Liveness:
    """State: a thread that asks whether the server is alive, and the slowest answer so far."""

    def __init__(self, url):
        self.url = url.partition("/v2/")[0] + "/v2/health/live"
        self.slowest, self.going = 0.0, True
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        """Ask every 20 ms."""
        while self.going:
            began = time.monotonic()
            urllib.request.urlopen(self.url, timeout=5).read()
            self.slowest = max(self.slowest, time.monotonic() - began)
            time.sleep(0.02)

    def stop(self):
        """Return the slowest answer in milliseconds."""
        self.going = False
        self.thread.join()
        return round(self.slowest * 1e3, 1)


def quantiles(times):
    """Return p50 and p99 in milliseconds."""
    return [round(float(np.quantile(times, share)) * 1e3, 1) for share in (0.5, 0.99)] if len(times) else None


def ratios(rounds):
    """Return, for each peer and number of clients, how we compare, round by round."""
    found = {}
    for peer in SIDES[1:]:
        for clients in (f"{clients} clients" for clients in CLIENTS):
            for name in ("p50_ms", "p99_ms"):
                found[f"{peer}, {clients}, {name}"] = spread(
                    [item[peer][clients][name] / item["ours"][clients][name] for item in rounds]
                )
            found[f"{peer}, {clients}, per_second"] = spread(
                [item["ours"][clients]["per_second"] / item[peer][clients]["per_second"] for item in rounds]
            )
    return found


def pooled(overloads):
    """Return the spread of the numbers that have a bar."""
    found = {
        name: spread([item[name] for item in overloads])
        for name in ("answered", "refused", "timed_out", "goodput_of_capacity")
    }
    for name in ("answered_ms", "refused_ms"):
        p99 = [item[name][1] for item in overloads if item[name]]
        found[name.replace("ms", "p99_ms")] = spread(p99) if p99 else None
    return found


def versions(peer_python):
    """Return the versions of everybody."""
    names = ("torch", "litserve", "ray", "fastapi", "uvicorn")
    script = f"import json, importlib.metadata as m; print(json.dumps({{n: m.version(n) for n in {names}}}))"
    done = subprocess.run([peer_python, "-c", script], capture_output=True, text=True, check=True)
    hey = (
        subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "hey"], capture_output=True, text=True, check=False)
        if shutil.which("dpkg-query")
        else None
    )
    return json.loads(done.stdout) | {"hey": hey.stdout if hey else "unknown"}


if __name__ == "__main__":
    main()
