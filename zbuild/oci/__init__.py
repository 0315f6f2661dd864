"""OCI formats, what registries and image layouts hold, and the client that speaks to registries."""
