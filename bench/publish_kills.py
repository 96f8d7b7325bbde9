"""SIGKILL of the worker at random points of a change-set, while SmugMug ails and its pictures are edited.

    python bench/publish_kills.py [--kills 10] [--photos 120] [--seed N]

Workers as the Procfile starts them, with heartbeats of a second; every 5th change is answered 504 though it was made,
every 7th call 429. Some pictures are edited on SmugMug after the preview. Half of the kills hit the writing, half the
revert. Counts at the stand-in how often each picture was written; prints what was wrong, status 1 if anything was.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from sync_kills import PATIENCE, worker
from testbed import StandIn, account_of, services

from smugmug.sandbox import Sandbox, library
from smugmug.sandbox.messages import Call, Reply

RATE = 40  # requests a second: a picture takes four
EDITED = 9  # pictures that somebody changes on SmugMug after the preview


class Counting(Sandbox):
    """Counts what it did for callers, by kind and picture; refused calls are not among it."""

    writes: Counter[tuple[str, str]] = Counter()

    def _answer_api(self, call: Call) -> Reply:
        reply = super()._answer_api(call)
        if call.method in ("PATCH", "POST") and reply.status == 200:
            uris = [call.path] if call.method == "PATCH" else json.loads(call.body)["ImageUris"]
            self.writes.update((call.path.rpartition("!")[2] if "!" in call.path else "PATCH", uri) for uri in uris)
        return reply


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--photos", type=int, default=120)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    with ExitStack() as stack:
        smugmug = stack.enter_context(Counting(library=library(1, options.photos)))
        folder = stack.enter_context(
            services(HEARTBEAT_SECONDS="1", SMUGMUG_REQUESTS_PER_SECOND=str(RATE), SMUGMUG_API_URL=smugmug.url)
        )
        wrong = Trial(smugmug, folder, random.Random(options.seed)).run(options.kills)
    print("\n".join(wrong) if wrong else "Every picture was written once, and SmugMug equals what it was.")
    sys.exit(bool(wrong))


class Trial:
    def __init__(self, smugmug: Counting, folder: Path, chance: random.Random) -> None:
        from smugmug import oauth, sync
        from smugmug.models import Membership

        self.smugmug, self.folder, self.chance = smugmug, folder, chance
        token, secret = smugmug.grant("Full", "Modify")
        self.account = account_of(StandIn(smugmug.url, smugmug.nickname, token, secret))
        self.account.granted_permissions = oauth.MODIFY
        self.account.save()
        Membership.objects.create(user=self.account.owner, account=self.account, role=Membership.Role.OWNER)
        for photo in smugmug.library.albums[0].photos:
            smugmug.library.edit_photo(photo.key, keywords=["Beach", "summer"])
        run, _ = sync.start(self.account, by=None)
        assert sync.carry_on(run, client=oauth.connect(self.account), seconds=60)
        self.approve()
        self.wrong: list[str] = []

    def approve(self) -> None:
        from django.utils import timezone

        from metadata.models import AIMetadata
        from smugmug.models import Photo

        said = {"ai_description": "A cliff by the sea.", "ai_title": "Cliff", "ai_tags": ["beach", "cliff"]}
        for photo in Photo.objects.all():
            AIMetadata.objects.create(
                photo=photo,
                **said,
                processing_status="completed",
                review_status="approved",
                approved_by="user:bench",
                approved_at=timezone.now(),
            )

    def run(self, kills: int) -> list[str]:
        """Write, take back, and compare at the stand-in; what was wrong."""
        from metadata import publish
        from metadata.models import Change
        from metadata.queue import ReviewFilter

        rules = {"caption": "append", "title": "replace", "keywords": "append"}
        owner, nickname = self.account.owner, self.account.nickname
        found = publish.prepare(self.account, by=owner, filter=ReviewFilter(), rules=rules)
        publish.arm(found, by=owner, account=nickname, number=found.total)
        edited = self.edit()
        before = self.words()
        self.smugmug.faults.timeout_but_applied, self.smugmug.faults.too_many = 5, 7
        self.smugmug.faults.retry_after = 0
        hits = self.carry_out(found, kills - kills // 2)
        conflicts = Change.objects.filter(change_set=found, state="conflict")
        self.check("conflicts", set(conflicts.values_list("photo__image_key", flat=True)), edited)
        self.check("pictures written", found.written, found.total - len(edited))
        self.check_writes("writing", found.written)
        doubled = [
            key for key, (_, _, words) in self.words().items() if sorted(map(str.casefold, words)).count("beach") > 1
        ]
        self.check("pictures with beach twice", doubled, [])
        self.smugmug.writes.clear()
        publish.arm_revert(found, by=owner, account=nickname, number=publish.to_revert(found))
        hits += self.carry_out(found, kills // 2)
        self.check_writes("taking back", found.reverted)
        self.check("SmugMug afterwards", self.words(), before)
        given = self.smugmug.faults.given
        print(f"{sum(hits)} kills ({hits[0]} while writing), {found.total} pictures, {len(edited)} edited meanwhile")
        print(f"{given['timeout_but_applied']} × 504 though applied, {given['too_many']} × 429")
        return self.wrong

    def check(self, what: str, got: Any, wanted: Any) -> None:
        if got != wanted:
            self.wrong.append(f"{what}: {str(got)[:400]} instead of {str(wanted)[:400]}")

    def check_writes(self, when: str, pictures: int) -> None:
        twice = {what: times for what, times in self.smugmug.writes.items() if times > 1}
        self.check(f"writes more than once while {when}", twice, {})
        self.check(f"pictures changed while {when}", len({uri for _, uri in self.smugmug.writes}), pictures)

    def edit(self) -> set[str]:
        """What somebody does on SmugMug after the preview."""
        photos = self.chance.sample(list(self.smugmug.library.albums[0].photos), EDITED)
        changes: list[dict[str, Any]] = [{"caption": "Mine"}, {"title": "Mine"}, {"keywords": ["Beach", "mine"]}]
        for number, photo in enumerate(photos):
            self.smugmug.library.edit_photo(photo.key, **changes[number % len(changes)])
        return {photo.key for photo in photos}

    def words(self) -> dict[str, tuple[str, str, frozenset[str]]]:
        photos = self.smugmug.library.albums[0].photos
        return {photo.key: (photo.caption, photo.title, frozenset(photo.keywords)) for photo in photos}

    def carry_out(self, found: Any, kills: int) -> list[int]:
        """Let workers do it, so many of which die on the way."""
        from metadata import jobs

        jobs.publish_changes.delay(str(found.pk))
        hit = 0
        while hit < kills:
            with worker(self.folder) as process:
                before = found.done
                self.wait(found, lambda before=before: found.done > before)
                time.sleep(self.chance.uniform(0, 0.6))
                self.kill(process)
            found.refresh_from_db()
            hit += found.state == "running"
            if not found.is_active:
                self.wrong.append(f"over after {hit} kills; take more photos")
                break
        with worker(self.folder):
            self.wait(found, lambda: not found.is_active)
        return [hit]

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def wait(self, found: Any, condition: Any) -> None:
        """What cron does is done on the way."""
        from metadata import jobs

        moved, done = time.monotonic(), found.done
        while not condition() and found.is_active:
            if found.done != done:
                moved, done = time.monotonic(), found.done
            if time.monotonic() > moved + PATIENCE:
                log = (self.folder / "worker.log").read_text(errors="replace")
                raise SystemExit(f"nothing moves any more, {found.state} {found.waiting_for}; log:\n{log[-3000:]}")
            jobs.resume_stalled_change_sets()
            time.sleep(0.1)
            found.refresh_from_db()


if __name__ == "__main__":
    main()
