"""Dockerfile and Containerfile."""
