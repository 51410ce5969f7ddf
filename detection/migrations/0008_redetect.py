from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('detection', '0007_batch_model'),
    ]

    operations = [
        migrations.AlterField(
            model_name='detection',
            name='source',
            field=models.CharField(choices=[('page', 'Page'), ('api', 'API'), ('websocket', 'WebSocket'), ('command', 'Command'), ('redetect', 'Looked at again')], max_length=16),
        ),
    ]
