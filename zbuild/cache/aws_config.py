"""What AWS's own files say: `~/.aws/config` and `~/.aws/credentials`, the profile that AWS_PROFILE names.

Keys and settings that stand there are read; profiles that ask another program or service for keys are not.
"""

from __future__ import annotations

from configparser import ConfigParser, Error
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "region": "region",
    "endpoint_url": "endpoint",
}
_KEYS = ("access_key_id", "secret_access_key", "session_token")
# With one of these the client finds keys by itself.
_ENVIRONMENT = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")


def aws_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what the files say, named as the client names it; nothing for what the environment says already."""
    home = Path(environment.get("HOME", "/"))
    profile = environment.get("AWS_PROFILE", "default")
    config = Path(environment.get("AWS_CONFIG_FILE") or home / ".aws" / "config")
    credentials = Path(environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws" / "credentials")
    section = profile if profile == "default" else f"profile {profile}"
    found = _section(config, section) | _section(credentials, profile)
    if any(environment.get(name) for name in _ENVIRONMENT):
        found = {name: value for name, value in found.items() if name not in _KEYS}
    if environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION"):
        found.pop("region", None)
    if environment.get("AWS_ENDPOINT_URL") or environment.get("AWS_ENDPOINT_URL_S3"):
        found.pop("endpoint", None)
    return found


def _section(file: Path, section: str) -> dict[str, str]:
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, Error):
        return {}
    if not parser.has_section(section):
        return {}
    return {_NAMES[name]: value for name, value in parser.items(section) if name in _NAMES}
