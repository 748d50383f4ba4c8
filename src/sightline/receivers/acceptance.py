"""What the receivers of one request at a time share: who may send, where it goes, and putting it on disk.

A protocol's own file reads the request and answers in the protocol's words; every refusal on the way is a `Refused` with
an HTTP status, and is counted for the ledger.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Mapping, Sequence

from starlette.requests import Request

from sightline.config import IngestSettings
from sightline.journal import JournalFull, JournalWriter, Piece
from sightline.receivers.access import TokenGrant, TokenSource
from sightline.receivers.bodies import BodyMalformed, BodyTooLarge, BodyTooSlow, UnsupportedEncoding, read_body, read_sent
from sightline.receivers.refusals import Refusals
from sightline.receivers.room import COST, OBJECTS_COST

log = logging.getLogger(__name__)

USUAL_INDEX = {"event": "main", "metric": "metrics", "trace": "traces"}
"""Where records go that name no index, by what they are."""
TOKEN_KINDS = ("hec", "otlp")
"""Kinds of token with which telemetry may be sent; those of the API are for reading."""
RETRY_AFTER_FAULT_S = 10
"""When to come back after a fault of the disk."""


class Refused(Exception):
    """A request that is not accepted, with the HTTP status that says so; with a Retry-After it may succeed later."""

    def __init__(self, status: int, message: str, retry_after_s: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        """Headers that go with the answer."""
        found = {"Retry-After": str(self.retry_after_s)} if self.retry_after_s else {}
        return found | ({"WWW-Authenticate": "Bearer"} if self.status == 401 else {})


class Acceptance:
    """Authorises, counts and journals. One for all receivers of a process."""

    def __init__(self, journal: JournalWriter, tokens: TokenSource, settings: IngestSettings, refusals: Refusals) -> None:
        self._journal = journal
        self._tokens = tokens
        self._settings = settings
        self._refusals = refusals

    async def body(self, request: Request, source: str, *, as_sent: bool = False, is_objects: bool = False) -> bytes:
        """A request's body, decompressed unless it is wanted as it was sent; of one that becomes objects as a whole, less may
        come. Raises Refused."""
        read = read_sent if as_sent else read_body
        settings = self._settings
        limit = min(settings.max_body_bytes, settings.json_max_body_bytes) if is_objects else settings.max_body_bytes
        try:
            return await read(request, limit, OBJECTS_COST if is_objects else COST)
        except BodyTooLarge as error:
            refusal = Refused(413, str(error))
        except BodyTooSlow as error:
            refusal = Refused(408, str(error))
        except BodyMalformed as error:
            refusal = Refused(400, str(error))
        except JournalFull as error:
            refusal = Refused(503, str(error), error.retry_after_s)
        except UnsupportedEncoding as error:
            refusal = Refused(415, str(error))
        raise self.refused(refusal, source)

    def refused(self, refusal: Refused, source: str, *, token: str = "", index: str = "", records: int = 1) -> Refused:
        """The same refusal, counted."""
        self._refusals.add(source, refusal.message, token=token, index=index, records=records)
        return refusal

    def grant(
        self, headers: Mapping[str, str], source: str, *, needs_token: bool, kinds: tuple[str, ...] = TOKEN_KINDS
    ) -> TokenGrant | None:
        """What the sender may do; None for a sender without a token where none is needed. Raises Refused."""
        secret = secret_of(headers)
        if not secret and not needs_token:
            return None
        if not secret:
            raise self.refused(Refused(401, "a token is required: send it as `Authorization: Bearer <token>`"), source)
        found = self._tokens.find(secret)
        if found is None or found.kind not in kinds:
            wanted = " or ".join(kinds)
            raise self.refused(Refused(401, f"the token is not a valid token of kind {wanted}"), source)
        if found.disabled:
            raise self.refused(Refused(403, f'the token "{found.name}" is disabled'), source, token=found.name)
        return found

    def index(
        self, grant: TokenGrant | None, datatype: str, source: str, named: str = "", *, usual: str = "", records: int = 1
    ) -> str:
        """Where records of this type go: the index they name, the token's, or the usual one. Raises Refused."""
        usual = usual or USUAL_INDEX[datatype]
        token = grant.name if grant else ""
        if named:
            known = self._tokens.index_datatype(named)
            if grant is not None and not grant.allows(named):
                raise self.refused(
                    Refused(403, f'the token "{token}" may not write to index "{named}"'),
                    source,
                    token=token,
                    records=records,
                )
            if known != datatype and not (known is None and named == usual):
                holds = f"holds {known} data" if known else "is not defined"
                raise self.refused(
                    Refused(400, f'index "{named}" {holds}, wanted one for {datatype} data'),
                    source,
                    token=token,
                    records=records,
                )
            return named
        if grant is None:
            return usual
        for candidate in (grant.default_index, *grant.indexes):
            if candidate and (candidate == usual or self._tokens.index_datatype(candidate) == datatype):
                return candidate
        if not grant.allows(usual):
            message = (
                f'the token "{token}" may not write {datatype} data: none of its indexes holds it,'
                f" they are: {', '.join(grant.indexes)}"
            )
            raise self.refused(Refused(403, message), source, token=token, records=records)
        return usual

    async def store(
        self, kind: str, body: bytes, source: str, *, grant: TokenGrant | None = None, index: str = "", records: int = 0
    ) -> None:
        """Append and return when it is durable. Raises Refused."""
        await self.store_pieces(kind, [Piece(body, records)], source, grant=grant, index=index)

    async def store_pieces(
        self, kind: str, pieces: Sequence[Piece], source: str, *, grant: TokenGrant | None = None, index: str = ""
    ) -> None:
        """The same for a large request that was cut: all of it is stored, or nothing."""
        token = grant.name if grant else ""
        records = sum(piece.records for piece in pieces)
        largest = self._settings.record_max_bytes
        if any(len(piece.body) > largest for piece in pieces):
            refusal = Refused(
                413, f"a record is larger than {largest} bytes, with what the request says of all, wanted at most that"
            )
            raise self.refused(refusal, source, token=token, index=index, records=records)
        try:
            await self._journal.append_pieces(kind, pieces, token=token, index=index)
        except JournalFull as full:
            refusal = Refused(503, str(full), full.retry_after_s)
        except OSError as error:
            log.error("the journal cannot be written: %s", error)
            refusal = Refused(503, f"the journal cannot be written: {error.strerror}", RETRY_AFTER_FAULT_S)
        else:
            return
        raise self.refused(refusal, source, token=token, index=index, records=records)


def secret_of(headers: Mapping[str, str]) -> str:
    """The token in a request's headers: as a bearer, Splunk or API token, or as the password of basic authentication."""
    value = (headers.get("authorization") or "").strip()
    scheme, _, secret = value.partition(" ")
    scheme = scheme.lower()
    if scheme in ("bearer", "splunk", "api-token", "apikey", "token"):
        return secret.strip()
    if scheme == "basic":
        try:
            return base64.b64decode(secret, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return (headers.get("x-sf-token") or "").strip() or value
