"""The library face, and the only place that wires implementations together."""
