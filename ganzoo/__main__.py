"""``python -m ganzoo``, which is also what torchrun starts."""

import os
import sys

from ganzoo.cli import main

code = main()
if os.environ.get("WORLD_SIZE", "1") != "1":
    # Threads of torch.distributed can abort an interpreter that goes down; all is written, and connections are closed.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
sys.exit(code)
