"""Runs one service: `python -m shop.serve shop.gateway:app 8201`.

Like the `uvicorn` command, but it leaves logging alone, so that the server's own messages (an exception that nobody
caught, with its traceback) go where the process's logs go.
"""

from __future__ import annotations

import sys

import uvicorn


def main() -> None:
    application, port = sys.argv[1:]
    uvicorn.run(application, host="127.0.0.1", port=int(port), log_config=None, access_log=False)


if __name__ == "__main__":
    main()
