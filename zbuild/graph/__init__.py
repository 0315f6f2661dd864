"""The immutable graph of stages."""
