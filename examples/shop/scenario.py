"""What goes wrong in the shop, and when: pure functions of the time since it opened.

The services know nothing of it. It is the world outside that changes: what the laboratory measures, and when the
warehouse counts. The load plays both. When the story is told, its last state stays.
"""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_LENGTH_S = 600.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """The story's clock. Moments are shares of `length_s`, so that a shorter story keeps its order of events."""

    started_at: float
    length_s: float = DEFAULT_LENGTH_S

    stocktaking_share: float = 0.15
    """From here on the northern warehouse counts its stock, holding a lock while it waits for the scanner."""
    gaps_share: float = 0.2
    """From here on some readings are missing, which the model was never written for."""
    drift_share: float = 0.33
    """Here the laboratory's photometer begins to age..."""
    worn_out_share: float = 0.5
    """...and here it is as bad as it gets."""

    def progress(self, now: float) -> float:
        """Share of the story that is told: 0 at the start, 1 at its end and ever after."""
        return min(1.0, max(0.0, (now - self.started_at) / self.length_s))

    def stocktaking(self, now: float) -> bool:
        return self.progress(now) >= self.stocktaking_share

    def gaps(self, now: float) -> bool:
        return self.progress(now) >= self.gaps_share

    def wear(self, now: float) -> float:
        """How worn the photometer is, 0 to 1, rising evenly between its two moments."""
        return min(1.0, max(0.0, (self.progress(now) - self.drift_share) / (self.worn_out_share - self.drift_share)))

    def moment(self, share: float) -> float:
        """Epoch seconds of a share of the story."""
        return self.started_at + share * self.length_s
