"""What `manage.py rqcron` enqueues by the clock."""

from rq import cron

from metadata.jobs import resume_stalled_processing
from smugmug.jobs import resume_stalled_syncs

RECONCILE_SECONDS = 15

cron.register(resume_stalled_syncs, queue_name="smugmug", interval=RECONCILE_SECONDS, result_ttl=0)
cron.register(resume_stalled_processing, queue_name="metadata", interval=RECONCILE_SECONDS, result_ttl=0)
