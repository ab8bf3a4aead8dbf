"""One file per verb; the file name is the verb."""
