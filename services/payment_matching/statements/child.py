"""The child that reads one big file: its memory and processor time are limited, and it ends with the file.

It reads the file on stdin and writes the pickled File, or the refusal's detail and field, on stdout.
"""

import pickle
import resource
import sys

from services.payment_matching.errors import UnreadableStatement
from services.payment_matching.statements import camt

MEMORY = 1_500_000_000
SECONDS = 60


def main() -> None:
    """Read one file under limits."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    try:
        answer: object = camt.read(sys.stdin.buffer.read())
    except UnreadableStatement as refused:
        answer = (refused.detail, refused.field)
    sys.stdout.buffer.write(pickle.dumps(answer))


if __name__ == "__main__":
    main()
