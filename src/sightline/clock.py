"""The one place that reads the wall clock, so that a test can put another in its place.

Times are seconds since the epoch in UTC, as floats; spans and metrics keep finer integers in the store.
"""

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""A function that returns seconds since the epoch."""

system_clock: Clock = time.time
