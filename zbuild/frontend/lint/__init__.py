"""Lint: what works and is better written otherwise, by the rules of BuildKit's build checks."""
