"""From the graph to keys, and to what must run and why; pure but for reading files."""
