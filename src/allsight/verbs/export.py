"""`export`: a bundle's graph for faster runtimes, held against PyTorch on real images before it is kept."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from allsight.core.errors import DisagreementError, UsageError
from allsight.core.files import check_writable, write_text
from allsight.core.progress import Progress, silent
from allsight.inference.gradient_graph import GRADIENT_FILE
from allsight.inference.parity import Agreement, GradientAgreement
from allsight.inference.precision import FP32, INT8
from allsight.inference.quantise import check_nncf
from allsight.inference.runtimes.onnx import Onnx
from allsight.inference.runtimes.openvino import FILES, OpenVino
from allsight.models.bundle import CARD_FILE, ONNX_FILE, own_folder, read_config, write_config
from allsight.models.card import model_card
from allsight.verbs.tried_graphs import Making, Material, keep

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import JsonValue

TARGETS = ("onnx", "openvino")
ONNX, OPENVINO, ROUNDED, GRADIENT = "onnx fp32", "openvino fp32", "openvino int8", "openvino gradient"
"""What graphs are called."""
GRAPH_FILES = {ONNX: ONNX_FILE, OPENVINO: FILES[FP32], ROUNDED: FILES[INT8], GRADIENT: GRADIENT_FILE}
"""Where each lies in a bundle."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export left.

    Attributes:
        bundle: the folder.
        found: by graph ("onnx fp32", "openvino int8", "openvino gradient", …), how it was found to answer.
        megabytes: by graph, the size of its files.
    """

    bundle: Path
    found: dict[str, Agreement | GradientAgreement]
    megabytes: dict[str, float]

    @property
    def agreements(self) -> dict[str, Agreement]:
        """Those of the graphs that answer."""
        return {name: a for name, a in self.found.items() if isinstance(a, Agreement)}

    @property
    def gradients(self) -> GradientAgreement | None:
        """That of the graph of gradients; None where none was asked for."""
        return next((a for a in self.found.values() if isinstance(a, GradientAgreement)), None)

    def to_json(self) -> dict[str, Any]:
        """The document of `export --json`."""
        return {
            "bundle": str(self.bundle),
            "graphs": {
                name: {**agreement.to_json(), "megabytes": round(self.megabytes[name], 2)}
                for name, agreement in self.found.items()
            },
        }


def export(
    bundle: str | Path,
    *,
    to: Sequence[str] = ("openvino",),
    int8: bool = False,
    gradients: bool = False,
    data: str | None = None,
    images: int = 300,
    seed: int = 0,
    progress: Progress = silent,
) -> Exported:
    """Write graphs into the bundle that run without PyTorch, and refuse those that do not answer as PyTorch does.

    Graphs are tried on images of the bundle's validation part, int8 is calibrated on images of its training part. What
    was measured is written into the bundle. One graph that is refused does not stop those that do not need it.

    Args:
        bundle: folder of the bundle.
        to: "onnx", "openvino" or both.
        int8: also an int8 graph for OpenVINO.
        gradients: also a graph of gradients for OpenVINO, so that Integrated Gradients need no PyTorch.
        data: the DATA it was trained on; by default where it lay then.
        images: how many images are used for each purpose, at most.
        seed: of their choice.
        progress: told how far it is.

    Raises:
        BundleError: no bundle, or a damaged one.
        UsageError: no such target, or int8 or gradients for another runtime than OpenVINO.
        DataError: the data is not the one that the bundle was trained on.
        MissingDependencyError: a library is not installed.
        DisagreementError: a graph does not answer as PyTorch does; it was not kept, the others were.

    >>> import tempfile
    >>> from allsight.verbs.train import train
    >>> folder, data = tempfile.mkdtemp(), "synthetic:1?images=72&patients=24&size=64"
    >>> _ = train(data, out=folder, backbone="tiny", weights="none", freeze=True)
    >>> export(folder, to=["onnx"], images=8).agreements["onnx fp32"].top1
    1.0
    """
    if unknown := sorted(set(to) - set(TARGETS)):
        raise UsageError(f"There is no target called {unknown[0]!r}.", hint=f"Known: {', '.join(TARGETS)}.")
    for asked, what in ((int8, "int8 graphs"), (gradients, "Gradient graphs")):
        if asked and "openvino" not in to:
            raise UsageError(f"{what} are for OpenVINO.", hint="Add --to openvino.")
    if int8:
        check_nncf()  # now, and not after the other graphs are made
    folder = own_folder(bundle)
    check_writable(folder)
    config = read_config(folder)
    material = Material.of(folder, config, data=data, images=images, seed=seed, progress=progress)
    work = Making(folder, config, material, progress)
    found: dict[str, Agreement | GradientAgreement] = {}
    refused: dict[str, DisagreementError] = {}
    with TemporaryDirectory(dir=folder, prefix="exporting-") as scratch:
        graphs = Path(scratch)
        try:
            onnx = work.onnx(graphs)
            if "onnx" in to:
                with _noted(ONNX, refused):
                    found[ONNX] = work.judged(Onnx, graphs, FP32)
            if "openvino" in to:
                with _noted(OPENVINO, refused):
                    model = work.openvino(onnx, graphs)
                    found[OPENVINO] = work.judged(OpenVino, graphs, FP32)
                    if int8:
                        with _noted(ROUNDED, refused):
                            for agreement in work.int8(model, graphs):
                                found[ROUNDED] = agreement
                    if gradients:
                        with _noted(GRADIENT, refused):
                            found[GRADIENT] = work.gradients(graphs)
        finally:  # an interruption loses none that is known to agree
            for name in found:
                keep(graphs / GRAPH_FILES[name], folder / GRAPH_FILES[name])
            _remember(folder, found, trust=work.config.trust)
    made = Exported(folder, found, {name: _megabytes(folder / GRAPH_FILES[name]) for name in found})
    if refused:
        raise _refusal(refused, made, more=material.more)
    return made


@contextmanager
def _noted(name: str, refused: dict[str, DisagreementError]) -> Iterator[None]:
    """Leaves the block where the graph is refused, and notes why: what was made before it is kept."""
    try:
        yield
    except DisagreementError as error:
        refused[name] = error


def _refusal(refused: Mapping[str, DisagreementError], made: Exported, *, more: bool) -> DisagreementError:
    """One error that says what was refused and what was kept; `more` where int8 could see more images."""
    hints = []
    if ROUNDED in refused:
        hints.append(
            "More calibration images may help: --images."
            if more
            else "It was calibrated on every training image there is; the fp32 graph serves instead."
        )
    if GRADIENT in refused:
        hints.append("Methods that need gradients go on with PyTorch.")
    reasons = " ".join(error.message for error in refused.values())
    kept = ", ".join(made.found) or "nothing"
    return DisagreementError(f"{reasons} Not kept: {', '.join(refused)}. Kept: {kept}.", hint=" ".join(hints))


def _remember(
    folder: Path, found: Mapping[str, Agreement | GradientAgreement], *, trust: dict[str, JsonValue] | None
) -> None:
    config = read_config(folder)
    exports = {**config.exports, **{name: agreement.to_json() for name, agreement in found.items()}}
    config = config.model_copy(update={"exports": exports, "trust": trust})
    write_config(folder, config)
    write_text(folder / CARD_FILE, model_card(config))


def _megabytes(file: Path) -> float:
    """Of a graph with its weights."""
    weights = file.with_suffix(".bin")
    return (file.stat().st_size + (weights.stat().st_size if weights.is_file() else 0)) / 1e6
