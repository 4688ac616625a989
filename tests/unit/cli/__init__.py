"""The relance command: what it reads, what it answers, and how it fails."""
