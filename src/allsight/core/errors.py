"""One tree of errors. Each says what was expected, what came and what to do, and knows its exit code."""

from __future__ import annotations


class AllsightError(Exception):
    """Something a user can understand and mend.

    Args:
        message: what was expected and what came.
        hint: what to do about it, a sentence of its own.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(AllsightError):
    """The command or call was put together wrongly."""

    exit_code = 2


class UnknownNameError(UsageError):
    """A name that the catalog does not have."""


class DataError(AllsightError):
    """A data set is not laid out as its adapter expects."""


class ImageError(AllsightError):
    """One file is not a readable image. The rest of a run goes on."""

    exit_code = 3


class WeightsError(AllsightError):
    """Weights are not to be had, or do not fit the network."""


class BundleError(AllsightError):
    """A folder is not a complete, well-formed bundle."""


class MissingDependencyError(AllsightError):
    """An optional library is not installed."""


class RefusedError(AllsightError):
    """Refused for safety: going on would give a wrong or dangerous result."""

    exit_code = 4


class LeakError(RefusedError):
    """A patient, field or byte-identical image stands on both sides of a split."""


class UnsafeFileError(RefusedError):
    """A file that could run code when loaded, such as a pickle."""


class DisagreementError(RefusedError):
    """Two runtimes that should give the same answer do not."""
