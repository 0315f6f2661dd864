"""Remote caches: stage records and their layers, shared between machines."""
