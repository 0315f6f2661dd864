"""The line of a run that had nothing to do; it imports nothing, since the fast path prints it too."""

from __future__ import annotations


def up_to_date_text(images: int, seconds: float) -> str:
    """Return `zbuild: 10 images up to date (0.07 s)`."""
    noun = "image" if images == 1 else "images"
    return f"zbuild: {images} {noun} up to date ({seconds:.2f} s)"
