"""Data sets. Each file is one, and its name is the kind in DATA; see `core/catalog.py`."""
