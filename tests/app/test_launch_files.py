"""The files that start a training elsewhere: what those who read them say of them, and that every option reaches them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from tiny import Cli, write_recipe

TUNE = {"space": {"train.batch": [8, 16]}, "trials": 2}
# What https://docs.skypilot.co/en/latest/reference/yaml-spec.html says of the keys that we write.
SKYPILOT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "resources", "run"],
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$"},
        "num_nodes": {"type": "integer", "minimum": 1},
        "workdir": {"type": "string"},
        "setup": {"type": "string"},
        "run": {"type": "string"},
        "file_mounts": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["name", "mode"],
                "properties": {"name": {"type": "string"}, "mode": {"enum": ["MOUNT", "COPY", "MOUNT_CACHED"]}},
                "additionalProperties": False,
            },
        },
        "resources": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "cpus": {"type": "string", "pattern": r"^\d+\+?$"},
                "memory": {"type": "string", "pattern": r"^\d+\+?$"},
                "accelerators": {"type": "string", "pattern": r"^[\w-]+:\d+$"},
                "use_spot": {"type": "boolean"},
                "job_recovery": {
                    "type": "object",
                    "properties": {"strategy": {"type": "string"}, "max_restarts_on_errors": {"type": "integer"}},
                    "additionalProperties": False,
                },
            },
        },
    },
}


def tool(name: str) -> str:
    """Return a program beside this Python; skip the test where it is not installed."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name}")
    return found


def written(cli: Cli, folder: Path, on: str, *more: object, **sections: Any) -> dict[str, str]:
    """Write the files of a place; return their texts by name."""
    recipe = write_recipe(folder, **sections)
    out = folder / "files"
    done = cli("launch-files", recipe, "--on", on, "--out", out, "--json", *more)
    assert done.code == 0, done.err
    return {Path(path).name: Path(path).read_text() for path in done.json["files"]}


def test_slurm_tells_the_training_in_time_and_puts_it_in_the_queue_again(cli: Cli, tmp_path: Path) -> None:
    (text,) = written(cli, tmp_path, "slurm", "--processes", 4, "--machines", 2, "--accelerators", "H100").values()
    script = tmp_path / "job.sbatch"
    script.write_text(text)
    assert subprocess.run(["bash", "-n", script], capture_output=True, text=True).stderr == ""
    directives = [line.removeprefix("#SBATCH ") for line in text.splitlines() if line.startswith("#SBATCH ")]
    assert {"--signal=B:USR1@120", "--requeue", "--nodes=2", "--cpus-per-task=8", "--gpus-per-node=4"} <= set(
        directives
    )
    assert "--processes 4 --machines 2" in text


def test_the_slurm_script_hands_the_notice_on_and_requeues(cli: Cli, tmp_path: Path) -> None:
    """Run with stand-ins for what Slurm has: the step gets USR1, ends with 75, and the job is put in the queue again."""
    (text,) = written(cli, tmp_path, "slurm", "--machines", 2).values()
    tools = tmp_path / "bin"
    tools.mkdir()
    stand_ins = {
        "scontrol": 'echo "$@" >> calls; [ "$1" = show ] && printf "first\\nsecond\\n" || true',
        "srun": 'echo "srun $*" >> calls; trap "echo noticed >> calls; exit 75" USR1; touch started; while :; do sleep 0.05; done',
    }
    for name, body in stand_ins.items():
        (tools / name).write_text(f"#!/usr/bin/env bash\n{body}\n")
        (tools / name).chmod(0o755)
    (tmp_path / "job.sbatch").write_text(text)
    environment = {"PATH": f"{tools}:/usr/bin:/bin", "SLURM_JOB_NODELIST": "nodes", "SLURM_JOB_ID": "17"}
    notice = "while [ ! -e started ]; do sleep 0.05; done; kill -USR1 $job; wait $job"
    script = f"bash job.sbatch & job=$!; {notice}"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, timeout=20)
    calls = (tmp_path / "calls").read_text()
    assert done.returncode == 75
    assert "noticed" in calls
    assert "requeue 17" in calls
    assert "--meet first:29400" in calls


def test_kubernetes_accepts_what_it_knows_and_the_jobs_are_whole(cli: Cli, tmp_path: Path) -> None:
    files = written(cli, tmp_path, "kubernetes", "--processes", 2, "--machines", 3, "--start", "train", tune=TUNE)
    claim, job, search = (yaml.safe_load(text) for text in files.values())
    assert [item["kind"] for item in (claim, job, search)] == ["PersistentVolumeClaim", "PyTorchJob", "RayJob"]
    kubernetes_validate.validate(claim, kubernetes_validate.latest_version(), strict=True)
    replicas = job["spec"]["pytorchReplicaSpecs"]
    assert (replicas["Master"]["replicas"], replicas["Worker"]["replicas"]) == (1, 2)
    cluster = search["spec"]["rayClusterSpec"]
    specs = [replica["template"]["spec"] for replica in replicas.values()]
    specs += [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]
    for spec in specs:
        # The operators make pods of these.
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": spec}
        kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)
        assert spec["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert "tune.on=ray" in search["spec"]["entrypoint"]
    assert len(written(cli, tmp_path, "kubernetes")) == 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            {**claim, "spec": {"modes": []}}, kubernetes_validate.latest_version(), strict=True
        )


def test_docker_files_pass_their_linters(cli: Cli, tmp_path: Path) -> None:
    files = written(cli, tmp_path, "docker", "--processes", 2, "--accelerators", "H100", "--image", "registry/mine:1")
    assert yaml.safe_load(files["compose.yaml"])["services"]["train"]["image"] == "registry/mine:1"
    place = tmp_path / "files"
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*check, place / "compose.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run([tool("hadolint"), place / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (place / "bad").write_text(files["Dockerfile"].replace(":3.11.13-slim-bookworm", ""))
    assert subprocess.run([tool("hadolint"), place / "bad"], capture_output=True).returncode != 0


def test_skypilot_files_are_as_its_documentation_says(cli: Cli, tmp_path: Path) -> None:
    more = ("--machines", 2, "--accelerators", "H100", "--cores", 8, "--memory", 64)
    ((name, text),) = written(cli, tmp_path, "skypilot", *more).items()
    (tmp_path / "schema.json").write_text(json.dumps(SKYPILOT))
    check = [sys.executable, "-m", "check_jsonschema", "--schemafile", tmp_path / "schema.json"]
    done = subprocess.run([*check, tmp_path / "files" / name], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    task = yaml.safe_load(text)
    assert task["resources"]["accelerators"] == "H100:1"
    assert (task["resources"]["cpus"], task["resources"]["memory"]) == ("8+", "64+")
    assert '--machines "$SKYPILOT_NUM_NODES" --meet "$meet":29400' in task["run"]


def test_a_recipe_that_cannot_be_trained_so_is_refused_and_a_dry_run_writes_nothing(cli: Cli, tmp_path: Path) -> None:
    batch_norm = {"kind": "cnn", "channels": [4], "normalisation": "batch"}
    recipe = write_recipe(tmp_path, model=batch_norm)
    done = cli("launch-files", recipe, "--on", "slurm", "--out", tmp_path / "files", "--processes", 2)
    assert done.code == 2
    assert "statistics of its batch" in done.err
    assert cli("launch-files", recipe, "--on", "slurm", "--out", tmp_path / "files", "--dry-run").code == 0
    assert not (tmp_path / "files").exists()
