"""Random sequences of approve, edit, reject, bulk and undo: what stands is what a plain model of it says.

    python bench/undo_sequences.py [--sequences 500]

The property that the tests try with 50 sequences, at length. Prints whether it held; status 1 where it did not.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from testbed import ROOT

PROPERTY = "tests/metadata/test_undo_sequences.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sequences", type=int, default=500)
    asked = parser.parse_args()
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", PROPERTY]
    tried = subprocess.run(command, cwd=ROOT, env={**os.environ, "UNDO_SEQUENCES": str(asked.sequences)}, check=False)
    print(f"{asked.sequences} sequences: {'the model holds' if tried.returncode == 0 else 'the model does NOT hold'}")
    sys.exit(tried.returncode)


if __name__ == "__main__":
    main()
