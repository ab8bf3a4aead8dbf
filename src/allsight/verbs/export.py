"""`export`: a bundle's graph for faster runtimes, held against PyTorch on real images before it is kept."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from allsight.core.errors import DataError, DisagreementError, ImageError, UsageError
from allsight.core.files import check_writable, write_text
from allsight.core.progress import Progress, silent
from allsight.core.records import TRAIN, VALIDATION
from allsight.data.source import open_dataset
from allsight.inference.gradient_graph import GRADIENT_FILE, GradientGraph
from allsight.inference.parity import (
    WANTED_VERDICTS,
    Agreement,
    GradientAgreement,
    compare,
    compare_gradients,
    outputs_of,
)
from allsight.inference.precision import FP32, INT8
from allsight.inference.predictor import load_space
from allsight.inference.quantise import check_nncf
from allsight.inference.rounding import clearance, fit_rounding, unsettled
from allsight.inference.runtimes.onnx import Onnx
from allsight.inference.runtimes.openvino import FILES, OpenVino
from allsight.inference.runtimes.pytorch import PyTorch
from allsight.inference.second_look import looked_again
from allsight.inference.trust import Trust, distance_limit, in_precision
from allsight.models.bundle import (
    CARD_FILE,
    ONNX_FILE,
    BundleConfig,
    own_folder,
    read_config,
    read_split,
    write_config,
)
from allsight.models.card import model_card
from allsight.verbs.subjects import evenly
from allsight.verbs.unseen import choose

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from pydantic import JsonValue

    from allsight.core.contracts import Dataset, Runtime
    from allsight.core.records import Outputs, Sample

TARGETS = ("onnx", "openvino")
ONNX, OPENVINO, ROUNDED, GRADIENT = "onnx fp32", "openvino fp32", "openvino int8", "openvino gradient"
"""What graphs are called."""
GRAPH_FILES = {ONNX: ONNX_FILE, OPENVINO: FILES[FP32], ROUNDED: FILES[INT8], GRADIENT: GRADIENT_FILE}
"""Where each lies in a bundle."""
_DIFFERENTIATED = 8  # images on which gradients are compared
_AVERAGED = 100  # images on which what rounding adds to a class is averaged


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
    material = _Material.of(folder, config, data=data, images=images, seed=seed, progress=progress)
    work = _Work(folder, config, material, progress)
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
                            found[ROUNDED] = work.int8(model, graphs)
                    if gradients:
                        with _noted(GRADIENT, refused):
                            found[GRADIENT] = work.gradients(graphs)
        finally:  # an interruption loses none that is known to agree
            for name in found:
                _keep(graphs / GRAPH_FILES[name], folder / GRAPH_FILES[name])
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


@dataclass(frozen=True, slots=True)
class _Material:
    """Real images: some to calibrate on, some to try graphs on; `more` where there are more to calibrate on."""

    calibration: list[NDArray[np.uint8]]
    trial: list[NDArray[np.uint8]]
    labels: list[int]
    groups: NDArray[np.str_]
    more: bool

    @classmethod
    def of(
        cls,
        folder: Path,
        config: BundleConfig,
        *,
        data: str | None,
        images: int,
        seed: int,
        progress: Progress,
    ) -> _Material:
        source = data or config.data.source
        try:
            dataset = open_dataset(source)
        except DataError as error:
            raise DataError(
                f"The images that the model was trained on are needed: {error.message}",
                hint="Say where they lie now: --data KIND:PATH.",
            ) from error
        rows = read_split(folder)
        parts = {
            part: choose(config, rows, dataset, part=part, progress=progress).samples
            for part in (TRAIN, VALIDATION)
        }
        calibration, _ = _read(dataset, evenly(parts[TRAIN], limit=images, seed=seed))
        trial, kept = _read(dataset, evenly(parts[VALIDATION], limit=images, seed=seed))
        place = {name: i for i, name in enumerate(config.classes)}
        group = {row.name: row.group for row in rows}
        return cls(
            calibration,
            trial,
            [place[str(s.label)] for s in kept],
            np.array([group[s.name] for s in kept], dtype=np.str_),
            len(parts[TRAIN]) > images,
        )


def _read(dataset: Dataset, samples: Sequence[Sample]) -> tuple[list[NDArray[np.uint8]], list[Sample]]:
    """Images and their samples; those that cannot be read are left out."""
    images, kept = [], []
    for sample in samples:
        try:
            images.append(dataset.read(sample))
        except ImageError:
            continue
        kept.append(sample)
    return images, kept


@dataclass(frozen=True, slots=True)
class _Rounded:
    """An int8 graph, how it answers, and the bundle's facts with the limit that holds for it."""

    graph: Any
    agreement: Agreement
    config: BundleConfig

    @property
    def verdicts(self) -> float:
        """Share of images on which it comes to the same verdict; 1 where the bundle gives none."""
        return 1.0 if self.agreement.verdicts is None else self.agreement.verdicts


class _Work:
    """The graphs of one bundle in the making."""

    def __init__(self, folder: Path, config: BundleConfig, material: _Material, progress: Progress) -> None:
        self.folder, self.config, self.material, self.progress = folder, config, material, progress
        self.pytorch = PyTorch.open(folder)
        self.classifier = self.pytorch.classifier
        self.reference: list[Outputs] = outputs_of(
            self.pytorch, material.trial, progress=progress, told="pytorch"
        )
        self.graph: Runtime = self.pytorch  # the one judged last
        self.answers: list[Outputs] = []  # its

    def onnx(self, graphs: Path) -> Path:
        from allsight.inference.export import write_onnx

        self.progress("onnx", 0, 1)
        write_onnx(self.classifier, self.config, graphs / ONNX_FILE)
        self.progress("onnx", 1, 1)
        return graphs / ONNX_FILE

    def openvino(self, onnx: Path, graphs: Path) -> Any:
        from allsight.inference.export import openvino_graph, write_graph

        model = openvino_graph(onnx, self.config)
        write_graph(model, self.config, graphs / FILES[FP32])
        return model

    def int8(self, model: Any, graphs: Path) -> Agreement:
        """The fastest int8 graph that answers as PyTorch does.

        One that often comes to another verdict is left for a more careful one, as long as that costs little.
        """
        from allsight.inference.export import write_graph
        from allsight.inference.quantise import CHEAP, moved, quantised, sparing

        few = self.material.calibration[:: -(-len(self.material.calibration) // _AVERAGED)]

        def logits(precision: str) -> NDArray[np.float32]:
            return np.concatenate(
                [o.logits for o in outputs_of(OpenVino.open(graphs, precision=precision), few)]
            )

        expected = logits(FP32)
        refused = DisagreementError("There was nothing to quantise.")
        best: _Rounded | None = None
        choices = sparing(model)
        for tried, spared in enumerate(choices):
            if best is not None and (best.verdicts >= WANTED_VERDICTS or spared > CHEAP):
                break
            self.progress("int8", tried, len(choices))
            made = quantised(model, self.material.calibration, spared=spared)
            write_graph(made, self.config, graphs / FILES[INT8])
            by = (expected - logits(INT8)).mean(axis=0)
            moved(made, by)
            write_graph(made, self.config, graphs / FILES[INT8])
            try:
                found = self.judged(OpenVino, graphs, INT8)
            except DisagreementError as error:
                refused = error
                continue
            found = replace(found, spared=spared, moved=tuple(by.tolist()))
            rounded = _Rounded(made, *self._with_verdicts(found))
            if best is None or rounded.verdicts > best.verdicts:
                best = rounded
        if best is None:
            raise refused
        self.config = best.config
        write_graph(best.graph, self.config, graphs / FILES[INT8])
        return best.agreement

    def _with_verdicts(self, found: Agreement) -> tuple[Agreement, BundleConfig]:
        """What an int8 graph's answers come to, with what of the bundle's facts holds for it alone.

        Rounding adds to distances, so their limit moves as that of the validation images does.
        """
        if self.config.trust is None:
            return found, self.config
        trust, space = Trust.model_validate(self.config.trust), load_space(self.folder)
        sides = []
        for runtime, answers in ((self.pytorch, self.reference), (self.graph, self.answers)):
            looks = [
                looked_again(runtime, image, first, doubt=trust.doubt, stain=trust.stain)
                for image, first in zip(self.material.trial, answers, strict=True)
            ]
            logits, embeddings = (
                np.concatenate([getattr(o, name) for o in looks]) for name in ("logits", "embedding")
            )
            sides.append((logits, space.distances(embeddings)))
        exact, rounded = (distance_limit(distances, self.material.groups) for _, distances in sides)
        trust = trust.model_copy(update={"distance_limit_int8": trust.distance_limit * rounded / exact})
        before, after = (
            clearance(*side, trust=in_precision(trust, precision))
            for side, precision in zip(sides, (FP32, INT8), strict=True)
        )
        trust = trust.model_copy(update={"rounding": (rounding := fit_rounding(before, after))})
        same = (before >= 0).all(axis=1) == (after >= 0).all(axis=1)
        again = unsettled(after, rounding)
        found = replace(
            found,
            verdicts=float(same.mean()),
            asked_again=float(again.mean()),
            verdicts_served=float((same | again).mean()),
        )
        return found, self.config.model_copy(update={"trust": trust.model_dump(mode="json")})

    def gradients(self, graphs: Path) -> GradientAgreement:
        """The gradient graph, on a few images: PyTorch takes its time."""
        from allsight.inference.trace import write_gradient_graph

        self.progress("gradients", 0, 1)
        write_gradient_graph(self.classifier, self.config, graphs)
        images = self.material.trial[:_DIFFERENTIATED]
        targets = [int(answer.logits[0].argmax()) for answer in self.reference[:_DIFFERENTIATED]]
        found = compare_gradients(
            self.pytorch.differentiated(),
            GradientGraph.open(graphs, self.config),
            images,
            targets=targets,
        )
        found.check()
        self.progress("gradients", 1, 1)
        return found

    def judged(self, runtime: type[Runtime], graphs: Path, precision: str) -> Agreement:
        name = f"{'onnx' if runtime is Onnx else 'openvino'} {precision}"
        self.graph = runtime.open(graphs, precision=precision)
        self.answers = outputs_of(self.graph, self.material.trial, progress=self.progress, told=name)
        found = compare(self.reference, self.answers, labels=self.material.labels)
        found.check(precision, name=name)
        return found


def _keep(made: Path, place: Path) -> None:
    """Moves a graph into the bundle, with the weights that lie beside OpenVINO's."""
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    if (weights := made.with_suffix(".bin")).is_file():
        shutil.move(weights, place.with_suffix(".bin"))
    shutil.move(made, place)


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
