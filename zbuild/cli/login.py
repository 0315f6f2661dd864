"""`zbuild login`: keeps the credentials of a registry."""

from __future__ import annotations

import sys

import click

from zbuild.base.errors import UsageError
from zbuild.cli.options import debug_option, examples


@click.command(
    "login",
    epilog=examples(
        "zbuild login registry.example.com -u ci --password-stdin < token",
        "zbuild login registry.example.com    asks for both",
    ),
)
@click.argument("registry")
@click.option("-u", "--user", metavar="NAME", help="The user; without it zbuild asks.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin.")
@debug_option
def command(registry: str, user: str | None, *, password_stdin: bool) -> None:
    """Log in to a registry, for pulling and pushing.

    User and password are tried, and kept where buildah, podman and skopeo look for them, too: in the file that
    REGISTRY_AUTH_FILE names, or else in containers' auth.json. What docker's config.json and its credential helpers
    hold is found without a login.
    """
    from zbuild.api.credentials import login  # noqa: PLC0415 - not needed to show help

    if not password_stdin and not sys.stdin.isatty():
        raise UsageError("no-password", "there is no terminal to ask for a password at", hint="use --password-stdin")
    if password_stdin and user is None:
        raise UsageError("no-user", "--password-stdin needs a user", hint="name it with -u")
    user = user or click.prompt("User", err=True)
    password = _from_stdin() if password_stdin else click.prompt("Password", hide_input=True, err=True)
    login(registry, user, password)
    click.echo(f"logged in to {registry} as {user}")


def _from_stdin() -> str:
    try:
        password = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        password = ""
    if not password:
        raise UsageError("no-password", "stdin holds no password")
    return password
