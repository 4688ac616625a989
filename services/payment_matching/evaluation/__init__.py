"""Measuring the matcher on a ledger and payments whose truth is known, in a database of the measurement's own."""
