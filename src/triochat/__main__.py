"""``python -m triochat`` is ``triochat``."""

import sys

from triochat.cli import main

sys.exit(main())
