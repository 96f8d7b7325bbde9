import django.contrib.postgres.fields
import django.contrib.postgres.functions
import django.db.models.deletion
import django.db.models.functions.datetime
import smugmug.models
import targetvision.encryption
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """All that it replaces, for new databases, with the columns in the same order.

    Django renders each model once here, and not for each change of one.
    """

    initial = True
    replaces = [
        ("smugmug", "0001_initial"),
        ("smugmug", "0002_add_changes_kinds_and_audit"),
    ]
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Account',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('nickname', models.CharField(max_length=120, unique=True)),
                ('name', models.CharField(blank=True, max_length=255)),
                ('web_url', models.URLField(blank=True, max_length=500)),
                ('oauth_token', targetvision.encryption.EncryptedField(blank=True)),
                ('oauth_token_secret', targetvision.encryption.EncryptedField(blank=True)),
                ('granted_access', models.CharField(blank=True, max_length=10)),
                ('granted_permissions', models.CharField(blank=True, max_length=10)),
                ('state', models.CharField(choices=[('connected', 'Connected'), ('refused', 'Refused by SmugMug'), ('disconnected', 'Disconnected')], default='connected', max_length=12)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('never_send', models.BooleanField(db_default=False, default=False, help_text='No picture or word of it goes to an AI server.')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('state', 'connected'), _negated=True), models.Q(models.Q(('oauth_token', ''), _negated=True), models.Q(('oauth_token_secret', ''), _negated=True)), _connector='OR'), name='smugmug_connected_account_has_tokens')],
            },
        ),
        migrations.CreateModel(
            name='Album',
            fields=[
                ('id', models.UUIDField(db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('user_id', models.CharField(max_length=120, verbose_name='nickname')),
                ('album_key', models.CharField(max_length=32, unique=True)),
                ('album_id', models.CharField(blank=True, max_length=32, verbose_name="SmugMug's node id")),
                ('title', models.TextField(blank=True)),
                ('description', models.TextField(blank=True)),
                ('image_count', models.PositiveIntegerField(default=0)),
                ('last_updated', models.DateTimeField(blank=True, null=True)),
                ('images_last_updated', models.DateTimeField(blank=True, null=True)),
                ('url_path', models.TextField(blank=True)),
                ('web_url', models.TextField(blank=True)),
                ('privacy', models.CharField(blank=True, max_length=16)),
                ('security_type', models.CharField(blank=True, max_length=16)),
                ('is_locked', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('synced_at', models.DateTimeField(blank=True, help_text='When its pictures were last read completely.', null=True)),
                ('removed_at', models.DateTimeField(blank=True, null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='albums', to='smugmug.account')),
                ('listed_at', models.DateTimeField(blank=True, help_text="When SmugMug's list of albums last held it.", null=True)),
                ('moved_at', models.DateTimeField(blank=True, help_text='When that list last said that it had changed.', null=True)),
                ('never_send', models.BooleanField(db_default=False, default=False, help_text='No picture or word of it goes to an AI server.')),
            ],
            options={
                'db_table': 'smugmug_albums',
                'indexes': [models.Index(fields=['user_id'], name='smugmug_albums_user_id'), models.Index(models.F('account'), models.OrderBy(models.F('images_last_updated'), descending=True, nulls_last=True), models.F('album_key'), name='smugmug_albums_newest')],
            },
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('nickname', models.CharField(max_length=120)),
                ('who', models.CharField(help_text='user:ada, command, or schedule', max_length=160)),
                ('action', models.CharField(max_length=40)),
                ('run', models.UUIDField(blank=True, null=True)),
                ('result', models.CharField(max_length=20)),
                ('detail', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('account', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='audit_entries', to='smugmug.account')),
            ],
            options={
                'verbose_name_plural': 'audit entries',
                'db_table': 'smugmug_audit',
                'indexes': [models.Index(fields=['account', '-created_at'], name='smugmug_audit_newest')],
            },
        ),
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=[('owner', 'Owner'), ('curator', 'Curator'), ('viewer', 'Viewer')], max_length=8)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='smugmug.account')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('user', 'account'), name='smugmug_one_membership_each')],
            },
        ),
        migrations.CreateModel(
            name='Photo',
            fields=[
                ('id', models.UUIDField(db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('image_key', models.CharField(max_length=32, unique=True)),
                ('image_id', models.CharField(max_length=48, verbose_name='key and serial')),
                ('filename', models.TextField(blank=True)),
                ('title', models.TextField(blank=True)),
                ('caption', models.TextField(blank=True)),
                ('keywords', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), blank=True, default=list, size=None)),
                ('date_taken', smugmug.models.WallClockField(blank=True, null=True)),
                ('image_url', models.TextField(blank=True)),
                ('thumbnail_url', models.TextField(blank=True)),
                ('large_url', models.TextField(blank=True)),
                ('original_url', models.TextField(blank=True)),
                ('width', models.PositiveIntegerField(blank=True, null=True)),
                ('height', models.PositiveIntegerField(blank=True, null=True)),
                ('size_bytes', models.BigIntegerField(blank=True, null=True)),
                ('format', models.CharField(blank=True, max_length=16)),
                ('is_video', models.BooleanField(default=False)),
                ('is_hidden', models.BooleanField(default=False)),
                ('latitude', models.FloatField(blank=True, null=True)),
                ('longitude', models.FloatField(blank=True, null=True)),
                ('archived_md5', models.CharField(blank=True, max_length=32)),
                ('exif', models.JSONField(blank=True, default=dict)),
                ('uploaded_at', models.DateTimeField(blank=True, null=True)),
                ('remote_updated_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('synced_at', models.DateTimeField(blank=True, null=True)),
                ('removed_at', models.DateTimeField(blank=True, null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='photos', to='smugmug.account')),
                ('album', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='home_photos', to='smugmug.album')),
                ('is_fresh', models.BooleanField(db_default=False, default=False, help_text='Read so soon after its upload that SmugMug may not have known all of it.')),
                ('perceptual_hash', models.BigIntegerField(blank=True, help_text='Of how it looks: 64 bits, as a dHash.', null=True)),
            ],
            options={
                'db_table': 'smugmug_photos',
                'indexes': [models.Index(fields=['account', 'image_key'], name='smugmug_photos_account_key'), models.Index(condition=models.Q(('is_fresh', True)), fields=['account'], name='smugmug_photos_fresh')],
            },
        ),
        migrations.CreateModel(
            name='AlbumPhoto',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField(default=0)),
                ('origin', models.CharField(blank=True, max_length=16)),
                ('album', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='standings', to='smugmug.album')),
                ('photo', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='standings', to='smugmug.photo')),
            ],
            options={
                'db_table': 'smugmug_album_photos',
                'indexes': [models.Index(fields=['album', 'position', 'photo'], name='smugmug_album_order')],
                'constraints': [models.UniqueConstraint(fields=('album', 'photo'), name='smugmug_photo_once_in_album')],
            },
        ),
        migrations.CreateModel(
            name='SyncRun',
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
                ('kind', models.CharField(choices=[('full', 'Full sync'), ('incremental', 'Sync of what changed'), ('verify', 'Check of everything'), ('albums', 'Sync of single albums')], default='full', max_length=12)),
                ('albums_listed_at', models.DateTimeField(blank=True, null=True)),
                ('photos_seen', models.PositiveIntegerField(default=0)),
                ('photos_new', models.PositiveIntegerField(default=0)),
                ('photos_removed', models.PositiveIntegerField(default=0)),
                ('requests_made', models.PositiveIntegerField(default=0)),
                ('albums_locked', models.PositiveIntegerField(default=0)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sync_runs', to='smugmug.account')),
                ('requested_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('album_keys', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=32), blank=True, default=list, help_text='The albums it is about; none: all.', size=None)),
                ('holder', models.UUIDField(blank=True, editable=False, help_text='Who works on it, where only one may.', null=True)),
                ('pauses', models.PositiveSmallIntegerField(default=0, help_text='Pauses in a row in which nothing got done.')),
                ('photos_changed', models.PositiveIntegerField(default=0)),
                ('resume_at', models.DateTimeField(blank=True, help_text='When a paused run goes on by itself.', null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['account', '-created_at'], name='smugmug_syncrun_newest')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state__in', ('queued', 'running', 'paused'))), fields=('account',), name='smugmug_one_active_sync_per_account')],
            },
        ),
    ]
