"""Runs what the plan says must run, through doit."""
