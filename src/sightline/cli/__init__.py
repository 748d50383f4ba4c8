"""The command `sightline`: results on standard output, everything else on standard error.

Exit status: 0; 1 for a search that failed, or trouble with the machine; 2 for bad usage. `load`, `search` and `import` work
on a data directory that no server has open (`--data`) or ask a running server (`--url`, `--token`).
"""

from sightline.cli.commands import main

__all__ = ["main"]
