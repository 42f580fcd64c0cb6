"""``python -m ganzoo``, which is also what torchrun starts."""

import os
import sys

from ganzoo.cli import main

code = main()
if os.environ.get("WORLD_SIZE", "1") != "1":
    from ganzoo.training.torchrun import leave

    leave(code)
sys.exit(code)
