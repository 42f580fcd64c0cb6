"""``python -m ganzoo``, which is also what torchrun starts."""

import sys

from ganzoo.cli import main
from ganzoo.machine import alone

code = main()
if not alone():
    from ganzoo.training.torchrun import leave

    leave(code)
sys.exit(code)
