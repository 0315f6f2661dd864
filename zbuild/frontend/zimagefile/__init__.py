"""ZImagefile: one image, in YAML."""
