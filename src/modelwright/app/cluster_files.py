"""The files that start a training somewhere else: for Slurm, Kubernetes, Docker and SkyPilot. Written, never used from here.

Each gives the training two minutes to save before the machine is taken away, and begins it again where it stopped.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

import yaml

# Seconds between the notice and the end of a machine.
NOTICE = 120
PORT = 29400
# Where the runs lie in a container: on a volume that outlives it.
KEPT = "/data"
INTERRUPTED = 75


@dataclass(frozen=True)
class Order:
    """What is to be started, and with what."""

    name: str
    recipe: str
    verb: str
    processes: int
    machines: int
    cores: int
    memory_gib: int
    accelerators: str
    hours: int
    image: str
    searches: bool

    @property
    def label(self) -> str:
        """The name as DNS takes it."""
        letters = "".join(letter if letter.isalnum() else "-" for letter in self.name.lower()).strip("-")
        return (letters or "recipe")[:50]

    def command(self, meet: str = "", runs: str = "runs", machines: str = "") -> str:
        """Return the command that every machine is given; `meet` and `machines` may be words of a shell."""
        words = ["modelwright", self.verb, shlex.quote(self.recipe), "--runs", runs, "--processes", str(self.processes)]
        if self.machines > 1:
            words += ["--machines", machines or str(self.machines), "--meet", f"{meet}:{PORT}"]
        return " ".join(words)


def slurm(order: Order) -> dict[str, str]:
    """Return a batch script: Slurm tells the script two minutes before the end, and the script puts itself in the queue again."""
    gpus = f"#SBATCH --gpus-per-node={order.processes}\n" if order.accelerators else ""
    text = f"""#!/usr/bin/env bash
#SBATCH --job-name={order.label}
#SBATCH --nodes={order.machines}
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task={order.cores * order.processes}
#SBATCH --mem={order.memory_gib}G
#SBATCH --time={order.hours}:00:00
{gpus}#SBATCH --signal=B:USR1@{NOTICE}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output={order.label}-%j.log
set -uo pipefail
# The folder of the recipe and of its runs must be seen by every machine.
meet=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export MODELWRIGHT_MEET="$meet"
srun --kill-on-bad-exit=1 {order.command('"$MODELWRIGHT_MEET"')} &
step=$!
trap 'kill -USR1 "$step"' USR1
trap 'kill -TERM "$step"' TERM
code=0
# A signal ends a wait; what counts is how the training ended.
while kill -0 "$step" 2>/dev/null; do
  wait "$step"
  code=$?
done
if [ "$code" -eq {INTERRUPTED} ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
"""
    return {f"{order.label}.sbatch": text}


def _pod(order: Order, command: str) -> dict[str, Any]:
    resources: dict[str, Any] = {
        "requests": {"cpu": str(order.cores * order.processes), "memory": f"{order.memory_gib}Gi"},
        "limits": {"memory": f"{order.memory_gib}Gi"},
    }
    if order.accelerators:
        resources["limits"]["nvidia.com/gpu"] = str(order.processes)
    container = {
        "name": "pytorch",
        "image": order.image,
        "command": ["/bin/sh", "-c", f"exec {command}"],
        "workingDir": KEPT,
        "resources": resources,
        "volumeMounts": [{"name": "kept", "mountPath": KEPT}, {"name": "memory", "mountPath": "/dev/shm"}],
        "securityContext": {"runAsNonRoot": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "containers": [container],
        "terminationGracePeriodSeconds": NOTICE,
        "securityContext": {"runAsUser": 1000, "fsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "volumes": [
            {"name": "kept", "persistentVolumeClaim": {"claimName": f"{order.label}-kept"}},
            {"name": "memory", "emptyDir": {"medium": "Memory"}},
        ],
    }


def _claim(order: Order) -> dict[str, Any]:
    modes = ["ReadWriteMany" if order.machines > 1 else "ReadWriteOnce"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": f"{order.label}-kept"},
        "spec": {"accessModes": modes, "resources": {"requests": {"storage": "50Gi"}}},
    }


def kubernetes(order: Order) -> dict[str, str]:
    """Return a volume for the runs, and a PyTorchJob; where the recipe searches, a RayJob that spreads the trials, too."""
    pod = _pod(order, order.command(f"{order.label}-master-0", f"{KEPT}/runs"))
    replica = {"replicas": 1, "restartPolicy": "OnFailure", "template": {"spec": pod}}
    replicas: dict[str, Any] = {"Master": replica}
    if order.machines > 1:
        replicas["Worker"] = {**replica, "replicas": order.machines - 1}
    job = {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": {"name": order.label},
        "spec": {"runPolicy": {"backoffLimit": 10, "cleanPodPolicy": "None"}, "pytorchReplicaSpecs": replicas},
    }
    files = {f"{order.label}-kept.yaml": _dump(_claim(order)), f"{order.label}-pytorchjob.yaml": _dump(job)}
    if order.searches:
        files[f"{order.label}-rayjob.yaml"] = _dump(_ray_job(order))
    return files


def _ray_job(order: Order) -> dict[str, Any]:
    runs = f"{KEPT}/runs"
    command = f"modelwright {order.verb} {shlex.quote(order.recipe)} --runs {runs} tune.on=ray tune.ray_address=auto"
    spec = _pod(order, "sleep infinity")
    (container,) = spec["containers"]
    # The operator starts Ray in it.
    worker = {**spec, "containers": [{**container, "name": "ray", "command": ["/bin/sh", "-c"]}]}
    del worker["containers"][0]["command"]
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {"name": f"{order.label}-search"},
        "spec": {
            "entrypoint": command,
            "shutdownAfterJobFinishes": True,
            "rayClusterSpec": {
                "headGroupSpec": {"rayStartParams": {}, "template": {"spec": worker}},
                "workerGroupSpecs": [
                    {
                        "groupName": "workers",
                        "replicas": order.machines,
                        "minReplicas": 1,
                        "maxReplicas": order.machines,
                        "rayStartParams": {},
                        "template": {"spec": worker},
                    }
                ],
            },
        },
    }


def docker(order: Order) -> dict[str, str]:
    """Return a Dockerfile that holds the program, and a compose file that starts it over a folder of runs."""
    dockerfile = """# syntax=docker/dockerfile:1
FROM python:3.11.13-slim-bookworm
# libgomp reads it once: threads that wait must not burn the core that another one needs.
ENV OMP_WAIT_POLICY=passive PYTHONUNBUFFERED=1
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
RUN pip install --no-cache-dir -c constraints.txt ".[all]" \\
    && useradd --uid 1000 --create-home modelwright \\
    && mkdir /data && chown modelwright /data
USER 1000
WORKDIR /data
ENTRYPOINT ["modelwright"]
CMD ["--help"]
"""
    service: dict[str, Any] = {
        "image": order.image,
        "build": {"context": "."},
        "command": order.command(runs=f"{KEPT}/runs").split()[1:],
        "working_dir": KEPT,
        "volumes": [f".:{KEPT}"],
        "shm_size": "1gb",
        "stop_signal": "SIGTERM",
        "stop_grace_period": f"{NOTICE}s",
        "restart": "on-failure:10",
        "read_only": True,
        "tmpfs": ["/tmp"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }
    if order.accelerators:
        devices = [{"driver": "nvidia", "count": order.processes, "capabilities": ["gpu"]}]
        service["deploy"] = {"resources": {"reservations": {"devices": devices}}}
    return {"Dockerfile": dockerfile, "compose.yaml": _dump({"services": {"train": service}})}


def skypilot(order: Order) -> dict[str, str]:
    """Return a task for SkyPilot on machines that may be taken away; the runs lie in a bucket, so that another one goes on."""
    resources: dict[str, Any] = {
        "cpus": f"{order.cores * order.processes}+",
        "memory": f"{order.memory_gib}+",
        "use_spot": True,
        "job_recovery": {"strategy": "EAGER_NEXT_REGION", "max_restarts_on_errors": 3},
    }
    if order.accelerators:
        resources["accelerators"] = f"{order.accelerators}:{order.processes}"
    command = order.command('"$meet"', f"{KEPT}/runs", '"$SKYPILOT_NUM_NODES"')
    run = f'meet=$(echo "$SKYPILOT_NODE_IPS" | head -n 1)\n{command}\n'
    task = {
        "name": order.label,
        "num_nodes": order.machines,
        "resources": resources,
        "workdir": ".",
        "file_mounts": {KEPT: {"name": f"{order.label}-kept", "mode": "MOUNT"}},
        "setup": "pip install -c constraints.txt '.[all]'\n",
        "run": run,
    }
    return {f"{order.label}-sky.yaml": _dump(task)}


PLACES = {"slurm": slurm, "kubernetes": kubernetes, "docker": docker, "skypilot": skypilot}


class _Plain(yaml.SafeDumper):
    """State: none of its own; it writes a block that stands in two places twice, and lines as lines."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Plain.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def _dump(data: Any) -> str:
    text: str = yaml.dump(data, Dumper=_Plain, sort_keys=False, width=110, allow_unicode=True)
    return text
