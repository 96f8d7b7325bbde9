"""Runs on the command line: exit statuses and a progress bar."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

from targetvision.models import Run, RunState

STATUS = {RunState.SUCCEEDED: 0, RunState.PARTIAL: 3}
SLICE_SECONDS = 3_600.0


def status(run: Run) -> int:
    """0 succeeded, 3 partial, 1 anything else."""
    return STATUS.get(RunState(run.state), 1)


@contextmanager
def bar(unit: str) -> Iterator[Callable[[Run], None]]:
    """A progress bar on standard error, in place of lines about what went well; the given function moves it.

    Where standard error is no terminal, there is neither: cron would send both by mail.
    """
    with _no_chatter(), tqdm(unit=unit, leave=False, disable=None) as progress:

        def tell(run: Run) -> None:
            progress.total = run.total
            progress.n = run.done
            progress.refresh()

        yield tell


@contextmanager
def _no_chatter() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)
