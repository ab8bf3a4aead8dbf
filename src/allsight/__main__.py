"""`python -m allsight` is `allsight`."""

from allsight.cli.main import run

run()
