"""From bytes to nodes and words: the reading that all frontends share."""
