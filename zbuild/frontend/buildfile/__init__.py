"""zbuild.yaml (and ZPipeline.yaml): the workspace."""
