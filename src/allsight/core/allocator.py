"""How the C library hands out memory to a process that runs networks."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h of the GNU C library
_LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let the process reuse large blocks it has freed instead of giving them back to the kernel each time.

    The GNU C library maps every block above 32 MB anew, and the kernel fills its pages with zeros: for a network's
    activations that happens at every layer of every pass. A process that keeps them is as large as it was at its
    largest. For programs of our own, not for libraries: it is a setting of the whole process.

    Returns:
        Whether this C library knows the settings; others are left alone.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return False
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, _LARGEST_INT))
