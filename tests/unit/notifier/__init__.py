"""Facts about what the notifier decides and writes, without I/O."""
