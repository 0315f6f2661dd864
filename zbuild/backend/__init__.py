"""Backends run instructions and hold images."""
