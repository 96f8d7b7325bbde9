import uuid

import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('metadata', '0012_add_search'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Export',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('paused', 'Paused'), ('succeeded', 'Succeeded'), ('partial', 'Partly done'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='queued', max_length=10)),
                ('total', models.PositiveIntegerField(blank=True, null=True)),
                ('done', models.PositiveIntegerField(default=0)),
                ('waiting_for', models.TextField(blank=True, help_text='A sentence: what the run waits for, or why it stopped.')),
                ('errors', models.JSONField(blank=True, default=list)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('heartbeat_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('resume_at', models.DateTimeField(blank=True, help_text='When a paused run goes on by itself.', null=True)),
                ('pauses', models.PositiveSmallIntegerField(default=0, help_text='Pauses in a row in which nothing got done.')),
                ('holder', models.UUIDField(blank=True, editable=False, help_text='Who works on it, where only one may.', null=True)),
                ('format', models.CharField(choices=[('csv', 'CSV'), ('jsonl', 'JSON Lines'), ('xmp', 'XMP sidecars')], max_length=5)),
                ('filter', models.JSONField(default=dict, help_text='What it is about, as in the address of the review pages.')),
                ('size_bytes', models.PositiveBigIntegerField(blank=True, null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0, help_text='How often it was begun; a kill costs one.')),
                ('removed_at', models.DateTimeField(blank=True, help_text='When its file was deleted.', null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='exports', to='smugmug.account')),
                ('requested_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [models.Index(fields=['account', '-created_at'], name='metadata_export_newest')],
                'constraints': [models.UniqueConstraint(models.F('account'), models.F('format'), django.db.models.functions.text.MD5(django.db.models.functions.comparison.Cast('filter', models.TextField())), condition=models.Q(('state__in', ('queued', 'running', 'paused'))), name='metadata_one_active_export_of_the_same')],
            },
        ),
    ]
