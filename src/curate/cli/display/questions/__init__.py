"""What a finished run answers: why, what if, what differs, what earlier runs were."""
