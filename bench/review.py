"""Review of a library of 100,000: what its pages take the server, and what decisions over all of it take.

    python bench/review.py [--photos 100000] [--sample 120]

Pages: next in focus, grid of 24 and of 100, gallery, each as the 95th percentile in ms (bound 50) and ÷ the same in a
library a tenth as large (bound 1.3). Decisions: bulk approval with history, and its undo, in seconds (bound 15 each),
÷ a loop of single decisions, while another curator waits at most 0.2 s. Status 1 where a bound is not met.
"""

from __future__ import annotations

import argparse
import sys

from review_decisions import decisions
from review_pages import pages

ONE_BY_ONE = 500  # decisions of the loop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--sample", type=int, default=120, help="requests for each page")
    asked = parser.parse_args()
    good = [pages(asked.photos, asked.sample), decisions(asked.photos, ONE_BY_ONE)]
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
