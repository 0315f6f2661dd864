"""`zbuild clean`: removes from the store what dead runs left, and what was built here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zbuild.api.session import Session


def clean_store(session: Session, *, everything: bool) -> list[str]:
    """Remove leftovers, with `everything` also the images built here, and return what was removed, in words."""
    records = session.records
    present = session.backend.images()
    ours = records.all_image_ids()
    removed = list(session.backend.sweep(() if everything else ours, []))
    if everything:
        # Trees have gone, and been told of, with what dead runs left.
        built = [image for image in present if image in ours and session.backend.is_image(image)]
        session.backend.remove(built)
        removed.extend(f"image {image[:12]}" for image in built)
    records.forget([record.key for record in records.records() if record.image_id not in present])
    return removed
