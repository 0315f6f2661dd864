"""Linux images through buildah."""
