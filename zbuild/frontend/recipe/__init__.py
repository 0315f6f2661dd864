"""Recipes: build files for whole ecosystems, shipped with zbuild or kept in a workspace."""
