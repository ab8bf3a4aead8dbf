"""The command line: arguments in; JSON, text and exit codes out. Nothing is computed here."""
