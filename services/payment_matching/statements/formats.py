"""Which format a file is, by its bytes and never by its name or declared type, and the reader that takes it."""

from collections.abc import Callable, Sequence

from services.payment_matching.errors import UnreadableStatement
from services.payment_matching.statements import bai2, camt, cfonb, coda, ofx, plain, swift, table
from services.payment_matching.statements.layout import Known
from services.payment_matching.statements.told import File


def read(body: bytes, layouts: Sequence[Known] = ()) -> File:
    """The file as told, proved. Raises UnreadableStatement, or UnknownFormat when it is of no format known here."""
    if len(body) > camt.MAX_BYTES:
        raise UnreadableStatement(f"The file is larger than {camt.MAX_BYTES // 1_000_000} MB.")
    bare = _bare(body)
    if not bare:
        raise UnreadableStatement("The file is empty.")
    reader = None if body.startswith(table.XLSX) else _reader(bare)
    return reader(body) if reader else table.read(body, layouts)


def needs_limits(body: bytes) -> bool:
    """Whether even a small file is read under limits: a package may unpack to much, the BAI2 library may never end."""
    return body.startswith(table.XLSX) or bai2.STARTS.match(plain.start(_bare(body))) is not None


def _bare(body: bytes) -> bytes:
    return body.removeprefix(b"\xef\xbb\xbf").lstrip()


def _reader(bare: bytes) -> Callable[[bytes], File] | None:
    """The reader of this format; None when it can only be a table."""
    if ofx.STARTS.match(bare):
        return ofx.read
    if b"<" in bare[:4]:
        return camt.read
    head = plain.start(bare)
    flat = ((coda.STARTS.match, coda.read), (cfonb.STARTS.match, cfonb.read), (bai2.STARTS.match, bai2.read))
    found = next((reader for starts, reader in flat if starts(head)), None)
    return found or (swift.read if swift.STARTS.search(head) else None)
