"""The notifier on the real database, the real broker and a mail server that fails on purpose."""
