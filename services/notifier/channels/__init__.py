"""The ways out: an e-mail, or a task for a person."""
