#!/usr/bin/env python
"""Takes a lease on the embedded services where no others are named, then runs Django's command."""

import os
import sys


def main() -> None:
    """Run the command of the command line; status 1 and one sentence where the start itself fails."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "targetvision.settings")
    from targetvision import start  # noqa: PLC0415 - a wrong environment must not end in an import error

    with start.trouble_in_a_sentence():
        start.prepare(command=sys.argv[1] if len(sys.argv) > 1 else "help")
        from django.core.management import execute_from_command_line  # noqa: PLC0415 - needs the environment

        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
