"""The bundle: a trained model on disk, loadable anywhere without the settings of its training.

Reading `config.json` needs neither torch nor the backbone, so that fast runtimes stay light.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from allsight.core import catalog
from allsight.core.contracts import Backbone
from allsight.core.errors import BundleError, UsageError
from allsight.core.files import whole_file, write_text
from allsight.models.preprocessing import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from allsight.models.classifier import Classifier

MODEL_FILE, CONFIG_FILE, SPLIT_FILE, CARD_FILE = "model.safetensors", "config.json", "split.csv", "README.md"
ONNX_FILE, OPENVINO_FOLDER = "model.onnx", "openvino"  # exported graphs, where there are any
BUILTIN = "builtin"
"""What the model that ships is called wherever a bundle is asked for."""
_HEAD_BIAS = "head.bias"  # its name among the weights

_SHIPPED = Path(__file__).parents[1] / BUILTIN
_SPLIT_COLUMNS = ("name", "sha256", "label", "part", "group")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataFacts(_Record):
    """What the model was trained on."""

    source: str
    fingerprint: str
    n_images: int
    caution: str = ""
    licence: str = ""


class Protocol(_Record):
    """How the data was divided."""

    split: str
    seed: int
    folds: int
    fold: int
    hold_out: tuple[str, ...] = ()
    n_images: dict[str, int]
    n_groups: dict[str, int]
    straddling: int = 0
    excluded: int = 0


class CascadeFacts(_Record):
    """A larger network that is asked where this one is not sure.

    Attributes:
        large: folder of the larger bundle, from this one's.
        threshold: least calibrated probability at which this network is believed.
        answered: share of the validation images that it answers.
        f1_macro: of the two together on those.
        f1_macro_large: of the larger network alone on those.
        n_images: how many.
    """

    large: str
    threshold: float
    answered: float
    f1_macro: float
    f1_macro_large: float
    n_images: int


class BundleConfig(_Record):
    """Everything a bundle says of itself.

    Attributes:
        format: version of this layout.
        name: how reports call the model.
        backbone: a name of the catalog.
        id2label: class name by output index.
        suspicious: the classes that mean ALL.
        pooled: True where class activation maps exist.
        preprocessing: from raw pixels to the first layer.
        weights: where training started from.
        training: the settings of the training that made it.
        data: what it was trained on.
        protocol: how that data was divided.
        trust: calibration, thresholds and distances, as `inference.trust` wrote them.
        provenance: versions, commit, machine, command.
        cascade: a larger network that helps out, or None.
        figures: what a study found for this way of training on parts that it had not learned from; {} where none did.
        adapted: to what other laboratory's images it was fitted, and what that brought; {} where to none.
        exports: by graph ("onnx fp32", "openvino int8", …), how it was found to answer beside PyTorch.
    """

    format: Literal[1] = 1
    name: str
    backbone: str
    id2label: dict[int, str]
    suspicious: tuple[str, ...]
    pooled: bool
    preprocessing: Preprocessing
    weights: str
    training: dict[str, JsonValue]
    data: DataFacts
    protocol: Protocol
    trust: dict[str, JsonValue] | None = None
    provenance: dict[str, JsonValue]
    cascade: CascadeFacts | None = None
    figures: dict[str, JsonValue] = {}
    adapted: dict[str, JsonValue] = {}
    exports: dict[str, dict[str, JsonValue]] = {}

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the outputs."""
        return tuple(self.id2label[i] for i in range(len(self.id2label)))


def bundle_folder(bundle: str | Path) -> Path:
    """The folder of a bundle: of the one that ships where the string "builtin" is given; a `Path` is always a folder.

    >>> bundle_folder("runs/mine").name, bundle_folder("./builtin") == bundle_folder("builtin")
    ('mine', False)
    """
    return _SHIPPED if bundle == BUILTIN else Path(bundle)


def begun_from(weights: str) -> Path | None:
    """The bundle that a training starts from; None where `weights` names a source or a file of weights.

    >>> begun_from("packaged"), begun_from("builtin") == bundle_folder("builtin")
    (None, True)
    """
    folder = bundle_folder(weights)
    return folder if (folder / CONFIG_FILE).is_file() else None


def own_folder(bundle: str | Path) -> Path:
    """The folder of a bundle that is to be written into.

    Raises:
        UsageError: it is the one that ships, which belongs to the installation.
    """
    if bundle == BUILTIN:
        raise UsageError(
            "The model that ships cannot be changed.", hint=f"Copy it first: cp -r {_SHIPPED} MY-BUNDLE"
        )
    return Path(bundle)


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One image of the data a bundle was made from."""

    name: str
    sha256: str
    label: str
    part: str
    group: str


def save_bundle(
    folder: Path,
    classifier: Classifier,
    *,
    config: BundleConfig,
    split: Iterable[SplitRow],
    tensors: Mapping[str, NDArray[np.floating]] | None = None,
) -> None:
    """Write a bundle. `config.json` comes last: a folder without it is no bundle.

    Args:
        folder: created where it is missing; files of an older bundle are replaced one by one.
        classifier: its weights.
        config: everything else.
        split: one row per image.
        tensors: extra arrays by name (those of the trust layer), kept in the same file.
    """
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_FILE).unlink(missing_ok=True)
    (folder / ONNX_FILE).unlink(missing_ok=True)  # graphs of an older bundle would answer for this one
    shutil.rmtree(folder / OPENVINO_FOLDER, ignore_errors=True)
    added = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in (tensors or {}).items()}
    state = {k: v.detach().cpu().contiguous() for k, v in classifier.state_dict().items()}
    with whole_file(folder / MODEL_FILE) as part:
        save_file({**state, **added}, part, metadata={"format": "pt", "backbone": config.backbone})
    with whole_file(folder / SPLIT_FILE) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_SPLIT_COLUMNS)
        writer.writerows((r.name, r.sha256, r.label, r.part, r.group) for r in split)
    write_config(folder, config)


def read_tensors(folder: Path, names: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Some of a bundle's tensors, by name, without torch.

    Raises:
        BundleError: there are no weights, damaged ones, or ones without these tensors.
    """
    with _opened(folder) as file:
        return {name: np.asarray(file.get_tensor(name), dtype=np.float32) for name in names}


def read_head_bias(folder: Path) -> NDArray[np.float32]:
    """The bias of the linear head (C,), without torch.

    Raises:
        BundleError: there are no weights, or damaged ones.
    """
    return read_tensors(folder, [_HEAD_BIAS])[_HEAD_BIAS]


def count_parameters(folder: Path) -> int:
    """How many numbers training may change, without loading them and without torch.

    Raises:
        BundleError: there are no weights, or damaged ones.
    """
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    with _opened(folder) as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 - no mapping
    learned = (n for n in shapes if not n.startswith("trust.") and not n.endswith(statistics))
    return sum(math.prod(shapes[name]) for name in learned)


@contextmanager
def _opened(folder: Path) -> Iterator[Any]:
    """The weights' file, for reading parts of it without torch."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / MODEL_FILE, framework="numpy") as file:
            yield file
    except (OSError, SafetensorError) as error:
        raise _unreadable_weights(folder, error) from error


def weights_digest(folder: Path) -> str:
    """SHA-256 of the weights, hexadecimal: which model it is, whatever it is called.

    Raises:
        BundleError: there are no weights.
    """
    try:
        with (folder / MODEL_FILE).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable_weights(folder, error) from error


def _unreadable_weights(folder: Path, error: Exception) -> BundleError:
    file = folder / MODEL_FILE
    wrong = f"cannot be read: {error}" if file.is_file() else "is missing"
    return BundleError(f"{file} {wrong}.", hint="Copy the whole folder again, or train again.")


def write_config(folder: Path, config: BundleConfig) -> None:
    """Write `config.json`, whole or not at all."""
    write_text(
        folder / CONFIG_FILE, json.dumps(config.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    )


def read_config(folder: Path) -> BundleConfig:
    """Read and check `config.json`.

    Raises:
        BundleError: there is no bundle here, or it is damaged; the message names the first fault.
    """
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise BundleError(
            f"{str(folder)!r} is not a bundle: it has no {CONFIG_FILE}.",
            hint="Give the folder that `allsight train --out` wrote; an interrupted training goes on with --resume.",
        )
    try:
        return BundleConfig.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(p) for p in first["loc"]) or "the document"
        raise BundleError(f"{path} is damaged at {where}: {first['msg']}.") from error


def read_split(folder: Path) -> tuple[SplitRow, ...]:
    """The images a bundle was made from.

    Raises:
        BundleError: the list is missing or damaged.
    """
    path = folder / SPLIT_FILE
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return tuple(SplitRow(**row) for row in csv.DictReader(file))
    except (OSError, TypeError, UnicodeDecodeError) as error:
        raise BundleError(
            f"{path} is missing or damaged, so it is unknown what the model has seen."
        ) from error


def load_classifier(folder: Path) -> tuple[Classifier, BundleConfig]:
    """The classifier in evaluation mode, and its configuration.

    Raises:
        BundleError: no bundle, or weights that do not fit it.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from allsight.models.classifier import Classifier
    from allsight.models.networks import without_weights

    config = read_config(folder)
    backbone = catalog.load(Backbone, config.backbone)
    classifier = Classifier(
        without_weights(backbone),
        n_classes=len(config.id2label),
        preprocessing=config.preprocessing,
        pooled=config.pooled,
    )
    try:
        state = load_file(folder / MODEL_FILE)
        classifier.load_state_dict({k: state[k] for k in classifier.state_dict()}, assign=True)
    except OSError as error:
        raise _unreadable_weights(folder, error) from error
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise BundleError(
            f"{folder / MODEL_FILE} does not hold the weights that {CONFIG_FILE} describes."
        ) from error
    return classifier.eval(), config
