"""The graphs that a bundle is exported to: made, held against PyTorch on real images, and refused where they differ."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from allsight.core.errors import DataError, DisagreementError, ImageError
from allsight.core.progress import Progress
from allsight.core.records import TRAIN, VALIDATION
from allsight.data.source import open_dataset
from allsight.inference.gradient_graph import GradientGraph
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
from allsight.inference.rounding import clearance, fit_rounding, unsettled
from allsight.inference.runtimes.onnx import Onnx
from allsight.inference.runtimes.openvino import FILES, OpenVino
from allsight.inference.runtimes.pytorch import PyTorch
from allsight.inference.second_look import looked_again
from allsight.inference.trust import Trust, distance_limit, in_precision
from allsight.models.bundle import ONNX_FILE, BundleConfig, read_split
from allsight.verbs.subjects import evenly
from allsight.verbs.unseen import choose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from allsight.core.contracts import Dataset, Runtime
    from allsight.core.records import Outputs, Sample

_DIFFERENTIATED = 8  # images on which gradients are compared
_AVERAGED = 100  # images on which what rounding adds to a class is averaged


@dataclass(frozen=True, slots=True)
class Material:
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
    ) -> Material:
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
        reduced = config.preprocessing.reduced
        calibration, _ = _read(dataset, evenly(parts[TRAIN], limit=images, seed=seed), reduced)
        trial, kept = _read(dataset, evenly(parts[VALIDATION], limit=images, seed=seed), reduced)
        place = {name: i for i, name in enumerate(config.classes)}
        group = {row.name: row.group for row in rows}
        return cls(
            calibration,
            trial,
            [place[str(s.label)] for s in kept],
            np.array([group[s.name] for s in kept], dtype=np.str_),
            len(parts[TRAIN]) > images,
        )


def _read(
    dataset: Dataset, samples: Sequence[Sample], reduced: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
) -> tuple[list[NDArray[np.uint8]], list[Sample]]:
    """Images as predictors reduce them, and their samples; those that cannot be read are left out."""
    images, kept = [], []
    for sample in samples:
        try:
            images.append(reduced(dataset.read(sample)))
        except ImageError:
            continue
        kept.append(sample)
    return images, kept


def usual_size(images: Sequence[NDArray[np.uint8]]) -> tuple[int, int] | None:
    """Height and width of more than half of the images; None where there are none."""
    for (height, width), n in Counter(image.shape[:2] for image in images).most_common(1):
        if 2 * n > len(images):
            return height, width
    return None


class Making:
    """The graphs of one bundle in the making, each held against PyTorch."""

    def __init__(self, folder: Path, config: BundleConfig, material: Material, progress: Progress) -> None:
        self.folder, self.config, self.material, self.progress = folder, config, material, progress
        self.pytorch = PyTorch.open(folder)
        self.classifier = self.pytorch.classifier
        self.reference: list[Outputs] = outputs_of(
            self.pytorch, material.trial, progress=progress, told="pytorch"
        )
        self.usual = usual_size(material.trial)
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
        write_graph(model, self.config, graphs / FILES[FP32], usual=self.usual)
        return model

    def int8(self, model: Any, graphs: Path) -> Iterator[Agreement]:
        """The fastest int8 graph that answers as PyTorch does; each lies among `graphs` when it is given.

        One that often comes to another verdict, though the fp32 graph is asked where rounding could have turned it, is
        followed by more careful ones that change fewer, as long as that costs little.
        """
        from allsight.inference.export import write_graph
        from allsight.inference.quantise import CHEAP, moved, quantised, sparing

        few = self.material.calibration[:: -(-len(self.material.calibration) // _AVERAGED)]

        def logits(folder: Path, precision: str) -> NDArray[np.float32]:
            return np.concatenate(
                [o.logits for o in outputs_of(OpenVino.open(folder, precision=precision), few)]
            )

        expected = logits(graphs, FP32)
        refused = DisagreementError("There was nothing to quantise.")
        kept: float | None = None  # share of the verdicts that the best graph so far leaves as they are
        choices, trying = sparing(model), graphs / "trying"
        for tried, spared in enumerate(choices):
            if kept is not None and (kept >= WANTED_VERDICTS or spared > CHEAP):
                break
            self.progress("int8", tried, len(choices))
            made = quantised(model, self.material.calibration, spared=spared)
            write_graph(made, self.config, trying / FILES[INT8], usual=self.usual)
            by = (expected - logits(trying, INT8)).mean(axis=0)
            moved(made, by)
            write_graph(made, self.config, trying / FILES[INT8], usual=self.usual)
            try:
                found = self.judged(OpenVino, trying, INT8)
            except DisagreementError as error:
                refused = error
                continue
            found = replace(found, spared=spared, moved=tuple(by.tolist()))
            found, config = self._with_verdicts(found)
            same = 1.0 if found.verdicts_served is None else found.verdicts_served
            if kept is None or same > kept:
                kept, self.config = same, config
                keep(trying / FILES[INT8], graphs / FILES[INT8])
                yield found
        if kept is None:
            raise refused

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
        """How a graph answers, and that for images of any size, where the usual size has one of its own."""
        name = f"{'onnx' if runtime is Onnx else 'openvino'} {precision}"
        self.graph = runtime.open(graphs, precision=precision)
        if isinstance(self.graph, OpenVino) and (free := self.graph.of_any_size()):
            self._compared(free, precision, name=f"{name} (any size)")
        found, self.answers = self._compared(self.graph, precision, name=name)
        return found

    def _compared(self, graph: Runtime, precision: str, *, name: str) -> tuple[Agreement, list[Outputs]]:
        answers = outputs_of(graph, self.material.trial, progress=self.progress, told=name)
        found = compare(self.reference, answers, labels=self.material.labels)
        found.check(precision, name=name)
        return found, answers


def keep(made: Path, place: Path) -> None:
    """Moves a graph into the bundle, with the weights that lie beside OpenVINO's."""
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    if (weights := made.with_suffix(".bin")).is_file():
        shutil.move(weights, place.with_suffix(".bin"))
    shutil.move(made, place)
