"""Pictures of volumes and scores: functions from arrays and tables to matplotlib figures."""
