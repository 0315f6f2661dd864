"""Displays: they read events and nothing else."""
