"""ZImagefile: one image, in YAML."""

from zbuild.frontend.zimagefile.lower import lower_zimagefile, parse_zimagefile

__all__ = ["lower_zimagefile", "parse_zimagefile"]
