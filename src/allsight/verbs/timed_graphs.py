"""The graphs that a benchmark times: of trained bundles as they are, of networks with random weights as asked for."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from allsight.core import catalog
from allsight.core.contracts import Backbone
from allsight.core.files import cache_folder
from allsight.core.provenance import fingerprint, versions
from allsight.data.datasets.synthetic import Synthetic
from allsight.inference.precision import INT8
from allsight.inference.runtimes.openvino import FILES, OpenVino
from allsight.models.bundle import (
    CONFIG_FILE,
    ONNX_FILE,
    BundleConfig,
    DataFacts,
    Protocol,
    read_config,
    save_bundle,
)
from allsight.models.preprocessing import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from allsight.models.classifier import Classifier

ALL, PLAIN = "all", "plain"  # outputs: with class activation maps, or without
# Whose versions say how a graph was written, beside the code that writes it.
_WRITERS = ("allsight", "torch", "timm", "torchvision", "onnx", "openvino", "nncf")
_SHOWN = 24  # generated images on which answers are compared, and int8 is calibrated


@dataclass(frozen=True, slots=True)
class Subject:
    """A bundle to be timed.

    Attributes:
        name: of the network or the bundle.
        folder: of the bundle.
        outputs: what its graphs give.
        own: whether it is one of random weights, which may be exported to whatever is asked for.
    """

    name: str
    folder: Path
    outputs: str
    own: bool

    @property
    def size(self) -> int:
        """Side of the network's input in pixels."""
        return read_config(self.folder).preprocessing.size


def subjects_of(
    backbones: Sequence[str], bundles: Sequence[str | Path], *, size: int, outputs: Sequence[str]
) -> list[Subject]:
    """Networks with random weights, once for each choice of outputs that makes a difference, and trained bundles."""
    found = []
    for name in dict.fromkeys(n.replace("-", "_").lower() for n in backbones):
        kind = catalog.load(Backbone, name)
        for choice in outputs if kind.pooled else (ALL,):
            maps = kind.pooled and choice == ALL
            folder = _random_bundle(kind, name, size=size, maps=maps)
            found.append(Subject(name, folder, "logits, embedding" + (", maps" if maps else ""), own=True))
    for folder in map(Path, bundles):
        config = read_config(folder)
        told = "logits, embedding" + (", maps" if config.pooled else "")
        found.append(Subject(config.name, folder, told, own=False))
    return found


def _random_bundle(kind: type[Backbone], name: str, *, size: int, maps: bool) -> Path:
    """A bundle of random weights in the cache, whose normalisations know the size of its activations."""
    from allsight.inference import (  # here: who measures memory loads no torch
        export,
        graph_resizing,
        quantise,
    )

    writers = map(inspect.getsource, (export, graph_resizing, quantise))
    key = fingerprint([str(versions(_WRITERS)), *writers])[:12]
    folder = cache_folder() / "benchmark" / f"{name}-{size}-{'maps' if maps else 'plain'}-{key}"
    if (folder / CONFIG_FILE).is_file():
        return folder
    import torch

    from allsight.models.classifier import Classifier
    from allsight.models.weights import start

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network, preprocessing = start(kind, "none", size=size)
        classifier = Classifier(network, n_classes=4, preprocessing=preprocessing, pooled=maps)
        _settle(classifier)
    save_bundle(folder, classifier, config=_config(name, preprocessing, maps=maps), split=())
    return folder


def _settle(classifier: Classifier) -> None:
    """Normalisations learn the statistics of some images: else signals fade to subnormal numbers, which are slow."""
    import torch

    for module in classifier.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        classifier.train()(torch.from_numpy(generated(classifier.preprocessing.size)[:4]))
    classifier.eval()


def _config(name: str, preprocessing: Preprocessing, *, maps: bool) -> BundleConfig:
    return BundleConfig(
        name=name,
        backbone=name,
        id2label=dict(enumerate(("Benign", "Early", "Pre", "Pro"))),
        suspicious=("Early", "Pre", "Pro"),
        pooled=maps,
        preprocessing=preprocessing,
        weights="none",
        training={"mode": "none: random weights, to measure time"},
        data=DataFacts(source="none", fingerprint="", n_images=0),
        protocol=Protocol(split="none", seed=0, folds=0, fold=0, n_images={}, n_groups={}),
        provenance={"versions": dict(versions())},
    )


def generated(size: int, n: int = _SHOWN) -> NDArray[np.uint8]:
    """Generated fields, uint8 RGB (n, size, size, 3)."""
    source = Synthetic.open(f"0?images={n}&patients={n}&size={size}")
    return np.stack([source.read(sample) for sample in source.samples])


@dataclass(frozen=True, slots=True)
class Graph:
    """A subject in one runtime and precision."""

    subject: Subject
    runtime: str
    precision: str

    def make(self) -> None:
        """Export it, where it is ours to export and not there yet."""
        folder = self.subject.folder
        if not self.subject.own or self.runtime == "pytorch":
            return
        if not (folder / ONNX_FILE).is_file():
            from allsight.inference.export import write_onnx
            from allsight.models.bundle import load_classifier

            write_onnx(*load_classifier(folder), folder / ONNX_FILE)
        if self.runtime == "openvino" and self.precision not in OpenVino.precisions(folder):
            from allsight.inference.export import openvino_graph, write_graph
            from allsight.inference.quantise import quantised

            config = read_config(folder)
            graph = openvino_graph(folder / ONNX_FILE, config)
            if self.precision == INT8:
                graph = quantised(graph, list(generated(self.subject.size)))
            side = self.subject.size
            write_graph(graph, config, folder / FILES[self.precision], usual=(side, side))

    @property
    def name(self) -> str:
        """Unique in a benchmark."""
        return f"{self.subject.folder} {self.runtime} {self.precision}"
