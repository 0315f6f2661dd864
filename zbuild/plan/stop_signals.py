"""STOPSIGNAL's values: what is no signal would be found out when a container is stopped."""

from __future__ import annotations

# Linux's, by their names in signal(7), with older ones that docker knows.
_NAMES = {
    *("HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "IOT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM"),
    *("TERM", "STKFLT", "CHLD", "CLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF"),
    *("WINCH", "IO", "POLL", "PWR", "SYS", "RTMIN", "RTMAX"),
}
_REAL_TIME = {f"RTMIN+{count}" for count in range(1, 16)} | {f"RTMAX-{count}" for count in range(1, 15)}


def check_signal(text: str) -> str:
    """Return a stop signal as it is written: a number, or a name with or without SIG. Raises ValueError for others."""
    name = text.upper().removeprefix("SIG")
    if not (name in _NAMES or name in _REAL_TIME or (text.isdecimal() and int(text) > 0)):
        raise ValueError(f"'{text[:40]}' is not a signal; write it like SIGTERM, or 15")
    return text
