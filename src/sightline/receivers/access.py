"""Who may send what: the part of the catalog that receivers see, as a protocol, and the rule about loopback."""

from __future__ import annotations

import ipaddress
from typing import Protocol


class TokenGrant(Protocol):
    """What a token allows, and the defaults for what it sends. `indexes` empty means every index."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def indexes(self) -> tuple[str, ...]: ...
    @property
    def default_index(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def sourcetype(self) -> str: ...
    @property
    def use_ack(self) -> bool: ...
    @property
    def allow_query_string(self) -> bool: ...
    @property
    def disabled(self) -> bool: ...

    def allows(self, index: str) -> bool: ...


class TokenSource(Protocol):
    """Looks secrets up. Must be fast and safe to call from the event loop."""

    def find(self, secret: str) -> TokenGrant | None:
        """The token with this secret, also a disabled one, or None."""
        ...

    def index_datatype(self, name: str) -> str | None:
        """`event`, `metric` or `trace`, or None for an index nobody defined."""
        ...


def is_loopback(host: str) -> bool:
    """Whether a listener's address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
