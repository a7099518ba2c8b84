"""Draws what a command prints as a terminal window: the picture of the README.

python tools/terminal_picture.py docs/images/train.svg ravine train digits
"""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text


def main() -> None:
    target, command = Path(sys.argv[1]), sys.argv[2:]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = output.rstrip().splitlines()
    console = Console(record=True, width=max(map(len, lines)) + 2, file=io.StringIO())
    console.print(Text(f"$ {shlex.join(command)}", style="bold"))
    for line in lines:
        important = not line.startswith("epoch")
        # No-break spaces: an SVG drops the blanks that a line begins with.
        console.print(Text(line.replace(" ", "\u00a0"), style="bold" if important else ""))
    target.parent.mkdir(parents=True, exist_ok=True)
    svg = console.export_svg(title="Ravine")
    # The fonts of the reader's machine: a picture in a repository should not load any.
    local = re.sub(r'(src: local\("[^"]+"\)),[^;]*;', r"\1;", svg)
    target.write_text(local)


if __name__ == "__main__":
    main()
