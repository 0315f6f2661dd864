"""OCI formats: what registries and image layouts hold."""
