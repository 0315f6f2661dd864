"""Pure values: digests, spans, diagnostics, errors, platforms, references."""
