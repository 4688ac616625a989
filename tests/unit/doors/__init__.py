"""The doors, without I/O: proofs, bodies, problems, pages."""
