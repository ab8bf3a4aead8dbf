"""Two ways to train: a linear head on frozen features, or every layer."""
