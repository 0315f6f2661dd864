"""No property has a deadline: how long an example takes depends on what else the machine does."""

from hypothesis import settings

settings.register_profile("zbuild", deadline=None)
settings.load_profile("zbuild")
