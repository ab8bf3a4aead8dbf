"""One damage a file: what can happen to a picture before a model sees it, in five severities."""
