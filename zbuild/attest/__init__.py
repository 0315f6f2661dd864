"""What goes with an image to tell what it is: how it was built (SLSA provenance), and what is in it (an SBOM)."""
