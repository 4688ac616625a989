"""The child that reads one big file: its memory and processor time are limited, and it ends with the file.

It reads the layouts, a line of JSON, and then the file on stdin. It writes the pickled File, or the refusal's kind,
detail, field and remedy, on stdout.
"""

import pickle
import resource
import sys

import orjson

from services.payment_matching.errors import UnknownFormat, UnreadableStatement
from services.payment_matching.statements import formats
from services.payment_matching.statements.layout import Known

MEMORY = 1_500_000_000
SECONDS = 60


def main() -> None:
    """Read one file under limits."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    try:
        layouts = [Known.model_validate(told) for told in orjson.loads(sys.stdin.buffer.readline())]
        answer: object = formats.read(sys.stdin.buffer.read(), layouts)
    except (UnreadableStatement, UnknownFormat) as refused:
        answer = (type(refused), refused.detail, refused.field, refused.remedy_text)
    sys.stdout.buffer.write(pickle.dumps(answer))


if __name__ == "__main__":
    main()
