"""python -m smugmug.sandbox: the stand-in without Django."""

import sys

from .commandline import parser, serve

if __name__ == "__main__":
    try:
        serve(parser().parse_args(), say=lambda line: sys.stdout.write(f"{line}\n"))
    except ValueError as exc:
        sys.exit(str(exc))
