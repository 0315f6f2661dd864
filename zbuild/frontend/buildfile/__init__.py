"""zbuild.yaml (and ZPipeline.yaml): the workspace."""

from zbuild.frontend.buildfile.given import Given
from zbuild.frontend.buildfile.read import read_workspace

__all__ = ["Given", "read_workspace"]
