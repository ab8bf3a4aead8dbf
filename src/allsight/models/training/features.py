"""Frozen features: every image through the network once, kept in the cache under everything that shaped them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from allsight.core.files import cache_folder, whole_file
from allsight.core.progress import Progress, silent
from allsight.core.provenance import fingerprint, versions
from allsight.data.loading import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from allsight.core.contracts import Dataset
    from allsight.core.records import Sample
    from allsight.models.classifier import Classifier


def frozen_embeddings(
    classifier: Classifier,
    dataset: Dataset,
    *,
    samples: Sequence[Sample],
    hashes: Mapping[str, str],
    batch: int = 32,
    progress: Progress = silent,
) -> NDArray[np.float32]:
    """Embeddings float32 (n, D) of samples, computed once and read from the cache afterwards.

    The key is the network's weights, its preprocessing, the libraries' versions and the images' hashes, so nothing
    stale can come back.

    Args:
        classifier: its network is used, its head is not.
        dataset: reads the samples.
        samples: which images, in the order of the result.
        hashes: content hash by sample name.
        batch: images in one pass.
        progress: told after each batch.
    """
    key = fingerprint(
        [
            weights_hash(classifier),
            classifier.preprocessing.model_dump_json(),
            str(classifier.preprocessing.longest),
            str(versions(("torch", "timm", "torchvision"))),
            *(hashes[s.name] for s in samples),
        ]
    )
    path = cache_folder() / "embeddings" / f"{key}.npy"
    if path.is_file():
        cached: NDArray[np.float32] = np.load(path, allow_pickle=False)
        return cached
    embeddings = embeddings_of(classifier, dataset, samples=samples, batch=batch, progress=progress)
    with whole_file(path) as part, part.open("wb") as file:
        np.save(file, embeddings, allow_pickle=False)
    return embeddings


def weights_hash(classifier: Classifier) -> str:
    """SHA-256 over the network's tensors (not the head's), hexadecimal."""
    import hashlib

    digest = hashlib.sha256()
    for name, tensor in classifier.network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def embeddings_of(
    classifier: Classifier,
    dataset: Dataset,
    *,
    samples: Sequence[Sample],
    view: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None,
    batch: int = 32,
    progress: Progress = silent,
) -> NDArray[np.float32]:
    """Embeddings float32 (n, D) of samples, computed afresh.

    Args:
        classifier: put into evaluation mode; its head is not used.
        dataset: reads the samples.
        samples: which images, in the order of the result.
        view: what is done to each image first, turning it, say; nothing where None.
        batch: images in one pass.
        progress: told after each batch.
    """
    import torch

    def prepared(sample: Sample) -> torch.Tensor:
        with torch.inference_mode():
            image = classifier.preprocessing.reduced(dataset.read(sample))
            return classifier.prepare(torch.from_numpy(image if view is None else view(image))[None])

    classifier.eval()
    # Channels last halves the time of depthwise convolutions on a CPU.
    network = classifier.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    rows: list[NDArray[np.float32]] = []
    waiting: list[torch.Tensor] = []
    with torch.inference_mode():
        for done, image in enumerate(in_order(prepared, samples, ahead=2 * batch), start=1):
            waiting.append(image)
            if len(waiting) == batch or done == len(samples):
                inputs = torch.cat(waiting).contiguous(memory_format=torch.channels_last)
                rows.append(network.embed(network.features(inputs)).numpy())
                waiting = []
                progress("features", done, len(samples))
    return np.concatenate(rows)
