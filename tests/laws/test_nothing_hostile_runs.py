"""List E1: whatever lies behind a door that takes files, nothing of it runs, and it is refused as what it is.

Each payload writes a marker when it runs. That the pickles among them do run when somebody unpickles them is tested first: a
payload that cannot fire shows nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from payloads import FIRING, NAMES, everything, texts

from modelwright.core.digest import digest_of
from modelwright.core.errors import DataError, ModelwrightError
from modelwright.core.formats import FORMATS, is_pickle, recognise
from modelwright.core.positions import parse_yaml
from modelwright.core.recipe import load_recipe

Door = Callable[[Path, bytes], object]
LEAST = 40


@pytest.fixture
def marker(tmp_path: Path) -> Iterator[Path]:
    """Where a payload leaves its mark; that there is none in the end is the point of every test here."""
    path = tmp_path / "marker"
    yield path
    assert not path.exists(), "the payload was executed"


@pytest.mark.parametrize("name", FIRING)
def test_the_payloads_fire_when_they_are_unpickled(name: str, tmp_path: Path) -> None:
    marker = tmp_path / "fired"
    (tmp_path / "payload").write_bytes(everything(marker)[name])
    # The one behind a STOP is met by who reads on, as torch's legacy reader does.
    program = "import pickle, sys; stream = open(sys.argv[1], 'rb')\ntry:\n  while True: pickle.load(stream)\nexcept Exception: pass"
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "payload")], check=True, capture_output=True)
    assert marker.exists()


def test_there_are_enough_of_them() -> None:
    assert len(NAMES) >= LEAST


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_no_payload_passes_under_any_name(suffix: str, tmp_path: Path, marker: Path) -> None:
    passed = []
    for name, content in everything(marker).items():
        path = tmp_path / f"payload{suffix}"
        path.write_bytes(content)
        try:
            recognise(path)
        except ModelwrightError:
            continue
        passed.append(name)
    # A script or a recipe is text, and text may lie in a file that is never anything else but text.
    harmless = {name for name in NAMES if name.startswith("yaml ")} | {"a script", "a module"}
    assert set(passed) <= (harmless if suffix in (".md", ".txt", ".csv", ".pub") else set())


@pytest.mark.parametrize(
    "suffix", ["", ".pkl", ".pt", ".pth", ".bin", ".joblib", ".npz", ".h5", ".py", ".so", ".zip", ".tar"]
)
def test_names_of_formats_that_run_are_refused_whatever_they_hold(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"payload{suffix}"
    path.write_bytes(b"{}")
    with pytest.raises(ModelwrightError, match="of no format that is opened"):
        recognise(path)


@pytest.mark.parametrize("name", FIRING)
def test_pickles_are_known_as_such(name: str, tmp_path: Path) -> None:
    assert is_pickle(everything(tmp_path / "marker")[name]) or name == "after a STOP"


def arrays(folder: Path, content: bytes) -> object:
    from modelwright.sources.arrays import ArraysSettings, read

    for name in ("inputs.npy", "labels.npy"):
        (folder / name).write_bytes(content)
    return read(ArraysSettings(path="."), folder)


def parquet(folder: Path, content: bytes) -> object:
    pytest.importorskip("pyarrow")
    from modelwright.sources.parquet import ParquetSettings, read

    (folder / "data.parquet").write_bytes(content)
    return read(ParquetSettings(path="data.parquet", label="label"), folder)


def csv(folder: Path, content: bytes) -> object:
    from modelwright.sources.delimited import CsvSettings, read

    (folder / "data.csv").write_bytes(content)
    return read(CsvSettings(path="data.csv", label="label"), folder)


def jsonl(folder: Path, content: bytes) -> object:
    from modelwright.sources.jsonl import JsonlSettings, read

    (folder / "data.jsonl").write_bytes(content)
    return read(JsonlSettings(path="data.jsonl", label="label"), folder)


def idx(folder: Path, content: bytes) -> object:
    from modelwright.sources.idx import IdxSettings, read

    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (folder / name).write_bytes(content)
    return read(IdxSettings(path="."), folder)


def picture(folder: Path, content: bytes) -> object:
    from modelwright.sources.inputs import read_images

    (folder / "one.png").write_bytes(content)
    return read_images([str(folder / "one.png")], {"channels": 1, "height": 8, "width": 8})


def weights(folder: Path, content: bytes) -> object:
    from modelwright.engine.predictor import open_predictor

    (folder / "model.safetensors").write_bytes(content)
    return open_predictor(folder)


def onnx(folder: Path, content: bytes) -> object:
    from modelwright.engine.onnx_network import load_onnx

    (folder / "model.onnx").write_bytes(content)
    return load_onnx(folder / "model.onnx")


def checkpoint(folder: Path, content: bytes) -> object:
    from modelwright.engine.checkpoint import load_newest

    place = folder / "checkpoints" / "step-000000001"
    place.mkdir(parents=True, exist_ok=True)

    def stated(data: bytes) -> dict[str, object]:
        return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    state = b'{"step": 1}'
    # Whoever can write the folder can also make its manifest agree.
    files = {"tensors-00001-of-00001.safetensors": stated(content), "state.json": stated(state)}
    (place / "tensors-00001-of-00001.safetensors").write_bytes(content)
    (place / "state.json").write_bytes(state)
    (place / "manifest.json").write_text(json.dumps({"files": files, "digest": digest_of(files)}, indent=1))
    return load_newest(folder / "checkpoints")


def hugging_face(folder: Path, content: bytes) -> object:
    if importlib.util.find_spec("transformers") is None:
        pytest.skip("the extra `text` is not installed")
    from modelwright.models.hugging_face import read_weights
    from modelwright.models.pretrained_settings import HuggingFace

    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    for name in ("model.safetensors", "pytorch_model.bin"):
        (folder / name).write_bytes(content)
    return read_weights(HuggingFace(path="./"), folder)


def llama(folder: Path, content: bytes) -> object:
    from modelwright.models.llama_folder import read_folder

    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (folder / "model.safetensors").write_bytes(content)
    return read_folder(folder)


def pickled_weights(folder: Path, content: bytes) -> object:
    hugging_face(folder, content) if importlib.util.find_spec("transformers") is None else None
    from modelwright.models.hugging_face import read_weights
    from modelwright.models.pretrained_settings import HuggingFace

    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (folder / "pytorch_model.bin").write_bytes(content)
    return read_weights(HuggingFace(path="./"), folder)


def key(folder: Path, content: bytes) -> object:
    from modelwright.stages.release.signature import signing_key

    (folder / "key.pem").write_bytes(content)
    return signing_key("key.pem", folder)


def recipe(folder: Path, content: bytes) -> object:
    (folder / "recipe.yaml").write_bytes(content)
    return load_recipe(folder / "recipe.yaml")


DOORS: list[Door] = [
    arrays, parquet, csv, jsonl, idx, picture, weights, onnx, checkpoint, hugging_face, llama, pickled_weights, key, recipe,
]  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The papers of a tiny model, to put false weights beside."""
    from modelwright.core.execute import run
    from modelwright.core.recipe import recipe_from

    folder = tmp_path_factory.mktemp("model")
    made = run(
        recipe_from(
            {
                "version": 1, "name": "tiny", "task": "image", "data": {"kind": "sample", "name": "digits"},
                "model": "linear", "prepare": {"limit": 64}, "train": {"length": "1 steps"},
                "release": {"owner": "Ada", "purpose": "Tests.", "approver": "Grace"},
            },
            folder,
        ),
        folder=folder / "run",
    )  # fmt: skip
    artifact = made.artifact("release")
    assert artifact is not None
    return artifact.path


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_no_door_runs_a_payload(door: Door, tmp_path: Path, marker: Path, model: Path) -> None:
    """Every payload is refused at every door; a text reader may quarantine it, row by row, instead."""
    let_in = []
    for number, (name, content) in enumerate(everything(marker).items()):
        folder = tmp_path / str(number)
        if door is weights:
            shutil.copytree(model, folder)
        else:
            folder.mkdir()
        try:
            door(folder, content)
        except ModelwrightError:
            continue
        let_in.append(name)
    assert let_in == []


def spoil(release: Path, name: str, content: bytes) -> None:
    """Put a file into a release, and sign the whole anew, as an attacker with a key of their own can."""
    from modelwright.core.artifact import artifact_digest, manifest_of
    from modelwright.stages.release.signature import SIGNATURE, sign, signing_key
    from modelwright.stages.release.verify import PAPERS

    (release / name).parent.mkdir(exist_ok=True)
    (release / name).write_bytes(content)
    key = signing_key("", release)
    (release / "signer.pub").write_bytes(key.public_pem)
    (release / SIGNATURE).unlink()
    (release / "digests.json").unlink()
    files = manifest_of(release)
    digest = artifact_digest("model", {path: value for path, value in files.items() if path not in PAPERS})
    (release / "digests.json").write_text(json.dumps({"model": digest, "files": files}))
    sign(release, key)


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("model.safetensors", "protocol 2"),
        ("model.safetensors", "torch zip"),
        ("model.safetensors", "behind a safetensors header"),
        ("golden/answers.npy", "npy of objects"),
        ("golden/extra.npy", "npz of objects"),
        ("pytorch_model.bin", "torch legacy"),
        ("model.onnx", "os.system"),
        ("config.json", "letters alone"),
        ("helper.py", "a module"),
        ("notes.md", "letters alone"),
        (".hidden", "nested"),
    ],
)
def test_a_hostile_release_is_refused_although_it_is_signed(
    name: str, payload: str, model: Path, tmp_path: Path, marker: Path
) -> None:
    from modelwright.stages.release.predict import predict
    from modelwright.stages.release.verify import verify, verify_papers

    release = tmp_path / "release"
    shutil.copytree(model, release)
    spoil(release, name, everything(marker)[payload])
    for door in (verify, verify_papers, lambda folder: predict(folder, ["x.png"])):
        with pytest.raises(ModelwrightError) as caught:
            door(release)
        assert name in str(caught.value)


def test_a_release_that_was_signed_anew_but_is_harmless_is_still_opened(model: Path, tmp_path: Path) -> None:
    """So that the refusals above are not those of the signature."""
    from modelwright.stages.release.verify import open_release

    release = tmp_path / "release"
    shutil.copytree(model, release)
    spoil(release, "notes.md", b"# fine\n")
    assert "notes.md" in open_release(release)


@pytest.mark.parametrize("name", sorted(texts(Path("/MARKER"))))
def test_no_tag_of_yaml_makes_an_object(name: str, tmp_path: Path, marker: Path) -> None:
    text = texts(marker)[name]
    try:
        data = parse_yaml(text, "recipe").data
    except ModelwrightError:
        return
    # Tags are not followed: what comes out is plain.
    json.dumps(data)


def test_code_that_came_with_a_model_is_not_run(tmp_path: Path, marker: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from modelwright.models.hugging_face import build, read_facts, read_weights
    from modelwright.models.pretrained_settings import HuggingFace

    small = transformers.BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    transformers.BertModel(small).save_pretrained(tmp_path)
    code = f"open({str(marker)!r}, 'w').close()\n"
    for file in ("configuration_evil.py", "modeling_evil.py", "tokenization_evil.py"):
        (tmp_path / file).write_text(code)
    config = json.loads((tmp_path / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "configuration_evil.C", "AutoModel": "modeling_evil.M"}
    config["attn_implementation"] = "evil/kernels"
    config["_attn_implementation"] = "evil/kernels"
    config["quantization_config"] = {"quant_method": "evil"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"auto_map": {"AutoTokenizer": ["tokenization_evil.T", None]}})
    )
    settings = HuggingFace(path=str(tmp_path))
    facts = read_facts(settings, Path())["pretrained"]["config"]
    assert not {"auto_map", "attn_implementation", "_attn_implementation", "quantization_config"} & set(facts)
    found = read_weights(settings, Path())
    # A release from outside may say so in its papers, too.
    hostile = {**found.facts["pretrained"], "config": config}
    build(settings, {"classes": ["a", "b"], "size": 20, "length": 8, "pretrained": hostile})


@pytest.mark.parametrize("target", ["pytorch_model.bin", "../other/model.safetensors", "/etc/passwd"])
def test_an_index_leads_nowhere_else(target: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from modelwright.models.hugging_face import read_weights
    from modelwright.models.pretrained_settings import HuggingFace

    small = transformers.BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    transformers.BertModel(small).save_pretrained(tmp_path)
    index = {"metadata": {}, "weight_map": {"embeddings.word_embeddings.weight": target}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelwrightError, match="weights lie in"):
        read_weights(HuggingFace(path=str(tmp_path)), Path())
    (tmp_path / "model.safetensors.index.json").unlink()
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelwrightError, match="an adapter"):
        read_weights(HuggingFace(path=str(tmp_path)), Path())


def test_parquet_files_restore_no_python_objects(tmp_path: Path, marker: Path) -> None:
    """CVE-2023-47248: older pyarrow unpickled the type of a column from the file."""
    pyarrow = pytest.importorskip("pyarrow")
    files = pytest.importorskip("pyarrow.parquet")
    hostile = everything(marker)["protocol 2"]
    field = pyarrow.field(
        "x",
        pyarrow.int64(),
        metadata={"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": hostile},
    )
    label = pyarrow.field("label", pyarrow.string())
    table = pyarrow.table([pyarrow.array([1, 2]), pyarrow.array(["a", "b"])], schema=pyarrow.schema([field, label]))
    files.write_table(table, tmp_path / "data.parquet")
    from modelwright.sources.parquet import ParquetSettings, read

    with contextlib.suppress(DataError):
        read(ParquetSettings(path="data.parquet", label="label"), tmp_path)


def test_no_module_of_ours_unpickles() -> None:
    """Nobody but the one conversion of pinned weights calls what could run; a new door must not open by accident."""
    source = Path(importlib.util.find_spec("modelwright").submodule_search_locations[0])
    words = (
        "pickle.load",
        "joblib.load",
        "marshal.load",
        "yaml.load(",
        "yaml.unsafe",
        "dill",
        "shelve",
        "allow_pickle=True",
    )
    words += ("trust_remote_code=True", "weights_only=False", "torch.load(", "exec(", "read_pickle", "unpickle")
    found = [
        f"{path.relative_to(source)}: {word}"
        for path in sorted(source.rglob("*.py"))
        for word in words
        if word in path.read_text() and f"_{word}" not in path.read_text()
    ]
    assert found == ["models/backbone.py: torch.load(", "testing/optimisers.py: torch.load("]


def test_the_marker_works(tmp_path: Path) -> None:
    """The check behind every test here can fail."""
    path = tmp_path / "marker"
    pickle.loads(everything(path)["os.system"])
    assert path.exists()
    os.unlink(path)
