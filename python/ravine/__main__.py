"""`python -m ravine` is the command `ravine`."""

from __future__ import annotations

import sys

from ravine.cli import main

sys.exit(main())
