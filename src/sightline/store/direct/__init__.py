"""The usual segments straight into columns: the same rows that the statements of `store/decode` give, at a tenth of the cost.

Hides: the compiled functions and their tables. Enters: a journal segment and the promoted fields. Leaves: the columns and the
SELECT of an INSERT with an Arrow table to read, or None where anything about a segment is unusual: then the statements load it.

A segment is taken apart in windows of some thousand records, so that memory depends on the window and on what is stored.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from sightline.config import IngestSettings
from sightline.segments import Frame
from sightline.store.direct.hec import hec_rows
from sightline.store.direct.otlp import Scrubbed, log_rows, point_rows, span_rows
from sightline.store.direct.remote_write import sample_rows
from sightline.store.direct.segment import TABLE_NAME, Given, Rows, Unusual
from sightline.store.promotion import PromotedField

__all__ = ["TABLE_NAME", "DirectDecoder", "Rows"]


class DirectDecoder:
    """Takes segments of the kinds in `compiled.KINDS` apart. Threads may share it."""

    def __init__(self, ingest: IngestSettings, query: Callable[..., pa.Table]) -> None:
        self._ingest = ingest
        scrubbed = Scrubbed(query) if ingest.scrub_statements else None
        self._decoders: dict[str, Callable[[Given], Rows]] = {
            "traces": functools.partial(span_rows, scrubbed=scrubbed),
            "logs": functools.partial(log_rows, scrubbed=scrubbed),
            "metrics": point_rows,
            "hecevent": hec_rows,
            "prometheus": functools.partial(sample_rows, is_second=False),
            "prometheus2": functools.partial(sample_rows, is_second=True),
        }

    def rows(self, kind: str, path: Path, frames: Sequence[Frame], promoted: Sequence[PromotedField]) -> Rows | None:
        """The rows of a segment that has no rules; None where the statements have to load it."""
        if not frames:
            return None
        try:
            return self._decoders[kind](Given(path, frames, promoted, self._ingest))
        except Unusual:
            return None
        except (IndexError, pa.ArrowInvalid):
            # A check of the compiled code, or bytes that are no text.
            return None
