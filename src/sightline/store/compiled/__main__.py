"""`python -m sightline.store.compiled`: compile what is not compiled yet. Takes about a minute, or a moment where all is there."""

import os
import sys

from sightline.store import compiled

if __name__ == "__main__":
    if compiled.BESIDE in sys.argv:
        os.nice(10)
    compiled.compile_here()

    from sightline.store.direct.compiling import compile_everything

    compile_everything()
