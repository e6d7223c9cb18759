"""The engine's own process: `postil serve`, which ends when its standard input does.

The window holds the other end of the pipe. However the window ends, also by a kill, the system
closes that end, so no engine stays behind with gigabytes of memory.
"""

from __future__ import annotations

import os
import sys
import threading

from app.cli.entry import main


def _end_with_standard_input() -> None:
    descriptor = sys.stdin.fileno()
    while os.read(descriptor, 4096):  # not by sys.stdin: its lock would be in the way of an exit
        pass
    os._exit(0)  # nothing to save, and the server's own shutdown would wait for open answers


if __name__ == "__main__":
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    main()
