"""Makes the examples importable, as they are when they run."""

import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
sys.path[:0] = [str(EXAMPLES), str(Path(__file__).resolve().parent)]
