"""The doors on real sockets, a real database and real processes."""
