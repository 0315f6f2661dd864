"""Build descriptions of other tools, as a zbuild.yaml."""
