"""Sessions on the nodes of a cluster: the driver schedules them and keeps their records."""
