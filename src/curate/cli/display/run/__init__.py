"""What ``curate run`` shows: the plan, the progress, the record that stays."""
