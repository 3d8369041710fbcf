"""An encoder from a Hugging Face folder and a new last layer, for texts and pictures.

Only configuration and safetensors are read: no pickle, and no code that came with the model.
Legend: B batch, C channels, T tokens, H hidden.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..core.errors import DamagedArtifact, DataError, MissingExtra, RecipeError
from ..core.formats import recognise
from .pooling import mask_of, mean_pool
from .pretrained import PACKAGE, Pretrained, find_folder
from .pretrained_settings import HuggingFace
from .resizing import Resizing

# Keys of a configuration that name code, other repositories, or kernels to be fetched.
FETCHING = {
    "auto_map",
    "architectures",
    "attn_implementation",
    "experts_implementation",
    "quantization_config",
    "transformers_version",
    "use_kernels",
}
ADAPTER = "adapter_config.json"
# Side of pictures where the folder does not say, in pixels.
SIDE = 224


class TextClassifier(nn.Module):
    """State: the encoder's weights, frozen or not, and one dense layer."""

    def __init__(self, encoder: nn.Module, hidden: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.encoder, self.dropout, self.head = encoder, nn.Dropout(dropout), nn.Linear(hidden, classes)

    def forward(self, tokens: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
        """Return the logits.

        Shapes: tokens (batch, t) int64, length (batch,) int64 -> (batch, classes) float
        """
        mask_BT = mask_of(length, tokens.shape[1])
        states_BTH = _encode(self.encoder, input_ids=tokens, attention_mask=mask_BT.long())
        return self.head(self.dropout(mean_pool(states_BTH, mask_BT)))


class PictureClassifier(nn.Module):
    """State: the encoder's weights, frozen or not, and one dense layer."""

    def __init__(self, encoder: nn.Module, resize: Resizing, hidden: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.resize, self.encoder = resize, encoder
        self.dropout, self.head = nn.Dropout(dropout), nn.Linear(hidden, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits.

        Shapes: image (batch, channels, height, width) float -> (batch, classes) float
        """
        states = _encode(self.encoder, pixel_values=self.resize(image))
        # Convolutional encoders answer (B, H, height, width), Transformers (B, T, H).
        pooled_BH = states.mean(dim=(2, 3)) if states.dim() == 4 else states.mean(dim=1)
        return self.head(self.dropout(pooled_BH))


def build(settings: HuggingFace, learnt: dict[str, Any]) -> nn.Module:
    """Build the classifier with random weights, from the encoder's configuration as it was when training began.

    Raises:
        MissingExtra: transformers is not installed.
        RecipeError: the tokens are not this encoder's, or texts are longer than it can read.
    """
    about = learnt.get("pretrained") or read_facts(settings, Path())["pretrained"]
    transformers = _transformers()
    config = transformers.AutoConfig.for_model(**_harmless(about["config"]))
    encoder = transformers.AutoModel.from_config(config)
    if _has_weights(getattr(encoder, "pooler", None)):
        # It was trained for another end, and here nothing would train it.
        encoder.pooler = None
    encoder.requires_grad_(not settings.freeze)
    classes = len(learnt["classes"])
    if "size" in learnt:
        _require_fit(config, learnt)
        return TextClassifier(encoder, config.hidden_size, classes, settings.dropout)
    side = settings.size or about["side"]
    hidden = getattr(config, "hidden_size", 0) or config.hidden_sizes[-1]
    resize = Resizing(learnt, tuple(about["mean"]), tuple(about["deviation"]), side)
    return PictureClassifier(encoder, resize, hidden, classes, settings.dropout)


def read_weights(settings: HuggingFace, base: Path) -> Pretrained:
    """Read configuration and weights of a Hugging Face folder.

    Raises:
        MissingExtra: transformers is not installed.
        RecipeError: there is no such folder, or no safetensors in it.
        DamagedArtifact: weights are missing.
    """
    transformers = _transformers()
    folder = _folder(settings.path, base)
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise RecipeError(
            "there are no weights in safetensors",
            where=folder,
            expected="model.safetensors",
            next_step="convert pickled weights to safetensors first",
        )
    _require_plain(folder, files)
    facts = read_facts(settings, base)
    config = transformers.AutoConfig.for_model(**facts["pretrained"]["config"])
    transformers.utils.logging.disable_progress_bar()
    # The library knows how names in files of all its versions become names in its modules.
    encoder, report = transformers.AutoModel.from_pretrained(
        folder,
        config=config,
        dtype=torch.float32,
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    absent = sorted(name for name in report["missing_keys"] if not name.startswith("pooler."))
    if absent:
        raise DamagedArtifact(
            f"{len(absent)} weights are missing, '{absent[0]}' first",
            where=folder,
            expected="all weights of the encoder",
        )
    weights = {
        f"encoder.{name}": tensor for name, tensor in encoder.state_dict().items() if not name.startswith("pooler.")
    }
    return Pretrained(_digest(files), weights, facts)


def _digest(files: list[Path]) -> str:
    import hashlib

    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def read_facts(settings: HuggingFace, base: Path) -> dict[str, Any]:
    """Return what must be stored with the model so that it can be opened without the folder.

    Raises:
        DataError: a configuration file is not JSON.
    """
    folder = _folder(settings.path, base)
    config, processor = _json(folder / "config.json"), _json(folder / "preprocessor_config.json", {})
    size = processor.get("size", {})
    side = size if isinstance(size, int) else size.get("height") or size.get("shortest_edge") or SIDE
    config = _harmless(config)
    mean, deviation = (
        [255 * value for value in processor.get(name, [0.5] * 3)] for name in ("image_mean", "image_std")
    )
    return {"pretrained": {"config": config, "side": side, "mean": mean, "deviation": deviation}}


def _harmless(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration without what would make transformers fetch or run anything: only names that it registers itself stay."""
    return {
        key: _harmless(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if key not in FETCHING and not key.startswith("_")
    }


def _require_plain(folder: Path, files: list[Path]) -> None:
    """Check that the weights are safetensors, and that nothing beside them leads the library to others.

    Raises:
        DamagedArtifact: a file is something else.
        RecipeError: an index or an adapter points elsewhere.
    """
    for file in files:
        recognise(file)
    if (folder / ADAPTER).exists():
        raise RecipeError(
            "this is an adapter, whose weights are put on those of another model",
            where=folder / ADAPTER,
            expected="a folder with a whole model",
            next_step="merge the adapter into its model and save that",
        )
    for index in folder.glob("*.index.json"):
        named = set(_json(index).get("weight_map", {}).values())
        foreign = sorted(str(name) for name in named if name not in {file.name for file in files})
        if foreign:
            raise RecipeError(
                f"weights lie in '{foreign[0]}'", where=index, expected="safetensors files of this folder alone"
            )


def _json(path: Path, missing: dict[str, Any] | None = None) -> dict[str, Any]:
    import json

    if missing is not None and not path.exists():
        return missing
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(
            f"the file cannot be read: {error.strerror}", where=path, expected="a Hugging Face folder"
        ) from None
    except ValueError as error:
        raise DataError(f"this is not JSON: {error}", where=path) from None
    return content


def _folder(path: str, base: Path) -> Path:
    looks_like_id = (
        not path.startswith((PACKAGE, ".", "/", "~")) and path.count("/") <= 1 and not (base / path).exists()
    )
    if not looks_like_id:
        return find_folder(path, base)
    _transformers()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(path, allow_patterns=["*.json", "model.safetensors"]))
    except (HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RecipeError(
            f"no such folder, and the hub has no answer: {reason}",
            where=f"model.path: {path}",
            expected="a local folder or the id of a model on the hub",
        ) from None


def _transformers() -> Any:
    try:
        import transformers
    except ImportError:
        raise MissingExtra(
            "the library transformers is not installed",
            where="model: hf",
            expected="it, to build the encoder",
            next_step="pip install 'modelwright[text]'",
        ) from None
    return transformers


def _encode(encoder: nn.Module, **inputs: torch.Tensor) -> torch.Tensor:
    """Return the last states; what is frozen neither drops activations nor learns the statistics of batches."""
    if not any(parameter.requires_grad for parameter in encoder.parameters()):
        encoder.eval()
    states: torch.Tensor = encoder(**inputs).last_hidden_state
    return states


def _has_weights(module: nn.Module | None) -> bool:
    return module is not None and any(True for _ in module.parameters())


def _require_fit(config: Any, learnt: dict[str, Any]) -> None:
    known, longest = getattr(config, "vocab_size", 0), getattr(config, "max_position_embeddings", 0)
    if known < learnt["size"]:
        raise RecipeError(
            f"the task has {learnt['size']} tokens and the encoder knows {known}",
            where="task.tokens",
            expected="the encoder's own tokens",
            next_step="task.tokens: hf:PATH with the PATH of model.path",
        )
    if 0 < longest < learnt["length"]:
        raise RecipeError(
            f"texts have up to {learnt['length']} tokens and the encoder reads {longest}",
            where="task.length",
            expected=f"at most {longest}",
        )


@torch.no_grad()
def attention_of(network: TextClassifier, tokens: torch.Tensor, length: torch.Tensor) -> list[torch.Tensor]:
    """Return how much each token attends to each, layer by layer; only the plain form of attention makes these numbers.

    Shapes: tokens (batch, t) int64, length (batch,) int64 -> (batch, heads, t, t) float, for each layer
    """
    encoder: Any = network.encoder
    before = encoder.config._attn_implementation
    encoder.set_attn_implementation("eager")
    try:
        mask_BT = mask_of(length, tokens.shape[1])
        return list(encoder(input_ids=tokens, attention_mask=mask_BT.long(), output_attentions=True).attentions)
    finally:
        encoder.set_attn_implementation(before)
