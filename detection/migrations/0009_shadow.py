import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('detection', '0008_redetect'),
    ]

    operations = [
        migrations.CreateModel(
            name='ShadowRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('model_name', models.CharField(max_length=200)),
                ('model_version', models.CharField(blank=True, max_length=64)),
                ('model_sha256', models.CharField(max_length=64, verbose_name='model hash')),
                ('threshold', models.FloatField(help_text='Objects with a probability above this are compared.')),
                ('objects_found', models.JSONField(default=list, help_text='Each with class, probability and box in pixels.')),
                ('disagreements', models.PositiveIntegerField(help_text='Objects that one of the two alone has found.')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('detection', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='shadow_runs', to='detection.detection')),
            ],
            options={
                'verbose_name': 'comparison with a shadow model',
                'verbose_name_plural': 'comparisons with shadow models',
                'ordering': ['-disagreements', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='ShadowCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('class_name', models.CharField(max_length=100)),
                ('matched', models.PositiveIntegerField()),
                ('only_answer', models.PositiveIntegerField()),
                ('only_candidate', models.PositiveIntegerField()),
                ('difference', models.FloatField(help_text="Sum over the matched: the candidate's probability less the answer's.")),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='counts', to='detection.shadowrun')),
            ],
        ),
        migrations.AddIndex(
            model_name='shadowrun',
            index=models.Index(fields=['-disagreements', '-id'], name='shadow_most_disagreement'),
        ),
        migrations.AddConstraint(
            model_name='shadowcount',
            constraint=models.UniqueConstraint(fields=('run', 'class_name'), name='one_count_per_class'),
        ),
    ]
