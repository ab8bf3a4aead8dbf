"""What training needs to know of a data set: which images, which labels, which groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from allsight.data.effects import lab_statistics
from allsight.data.loading import in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from allsight.core.contracts import Dataset
    from allsight.core.records import Sample


@dataclass(frozen=True, slots=True)
class Portion:
    """Some images of a data set, ready to be learned from or tried on.

    Attributes:
        dataset: reads them.
        samples: which, all labelled.
        labels: int64 (n,), indices into `dataset.classes`.
        groups: str (n,), what is drawn together.
    """

    dataset: Dataset
    samples: tuple[Sample, ...]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]

    @classmethod
    def of(cls, dataset: Dataset, names: Iterable[str], *, groups: Mapping[str, str]) -> Portion:
        """The portion of a data set with these sample names, in the order of the names."""
        by_name = {s.name: s for s in dataset.samples}
        chosen = tuple(by_name[n] for n in names)
        index = {c: i for i, c in enumerate(dataset.classes)}
        labels = np.array([index[s.label] for s in chosen if s.label is not None], dtype=np.int64)
        return cls(dataset, chosen, labels, np.array([groups[s.name] for s in chosen], dtype=np.str_))

    def __len__(self) -> int:
        return len(self.samples)

    def stains(self) -> NDArray[np.float32]:
        """Lab means and deviations of each image, float32 (n, 2, 3)."""
        return np.stack(list(in_order(lambda s: lab_statistics(self.dataset.read(s)), self.samples)))
