"""From files to samples, groups and splits. Imports `core/` and nothing below."""
