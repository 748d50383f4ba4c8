"""`python -m sightline.store.compiled`: compile what is not compiled yet. Takes about a minute, or two seconds where all is there."""

import os
import sys

from sightline.store.compiled import BESIDE
from sightline.store.direct import compile_everything

if __name__ == "__main__":
    if BESIDE in sys.argv:
        os.nice(10)
    compile_everything()
