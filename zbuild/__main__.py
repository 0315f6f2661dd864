"""`python -m zbuild`."""

from zbuild.cli.entry import script

script()
