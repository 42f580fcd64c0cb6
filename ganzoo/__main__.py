"""``python -m ganzoo``, which is also what torchrun starts."""

import sys

from ganzoo.cli import main

sys.exit(main())
