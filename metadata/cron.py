"""What `manage.py rqcron` enqueues by the clock."""

from rq import cron

from metadata.jobs import (
    judge_unjudged,
    restack_all_behind,
    resume_stalled_change_sets,
    resume_stalled_decisions,
    resume_stalled_exports,
    resume_stalled_processing,
    sweep_exports,
)
from smugmug.jobs import resume_stalled_syncs, start_due_syncs, trim_images

RECONCILE_SECONDS = 15
SCHEDULE_SECONDS = 60
TRIM_SECONDS = 300
RESTACK_SECONDS = 3600
SWEEP_SECONDS = 3600

cron.register(trim_images, queue_name="smugmug", interval=TRIM_SECONDS, result_ttl=0)
cron.register(resume_stalled_syncs, queue_name="smugmug", interval=RECONCILE_SECONDS, result_ttl=0)
cron.register(start_due_syncs, queue_name="smugmug", interval=SCHEDULE_SECONDS, result_ttl=0)
cron.register(resume_stalled_change_sets, queue_name="smugmug", interval=RECONCILE_SECONDS, result_ttl=0)
cron.register(resume_stalled_decisions, queue_name="metadata", interval=RECONCILE_SECONDS, result_ttl=0)
cron.register(resume_stalled_processing, queue_name="metadata", interval=RECONCILE_SECONDS, result_ttl=0)
cron.register(restack_all_behind, queue_name="metadata", interval=RESTACK_SECONDS, result_ttl=0)
cron.register(judge_unjudged, queue_name="metadata", interval=SCHEDULE_SECONDS, result_ttl=0)
cron.register(resume_stalled_exports, queue_name="metadata", interval=RECONCILE_SECONDS, result_ttl=0)
cron.register(sweep_exports, queue_name="metadata", interval=SWEEP_SECONDS, result_ttl=0)
