"""Factur-X and ZUGFeRD: the invoice's XML taken out of a PDF. The rest of the PDF is opaque.

Only attachments are looked at; nothing is rendered, no script runs, and what an attachment unpacks to is capped.
"""

import io
import zlib

import pikepdf

from services.invoice_ingest.errors import DocumentHostile, DocumentUnreadable
from services.invoice_ingest.sources.xml import MAX_BYTES

NAMES = ("factur-x.xml", "zugferd-invoice.xml", "xrechnung.xml", "order-x.xml")
MAX_ATTACHMENTS = 200


def invoice_xml(pdf: bytes) -> bytes:
    """The bytes of the invoice XML. Raises DocumentUnreadable when there is none."""
    try:
        with pikepdf.open(io.BytesIO(pdf)) as document:
            return _chosen(document)
    except pikepdf.PasswordError as error:
        raise DocumentUnreadable("The PDF needs a password.", field="document") from error
    except (pikepdf.PdfError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise DocumentUnreadable(f"The PDF cannot be read: {str(error)[:200]}", field="document") from error


def _chosen(document: pikepdf.Pdf) -> bytes:
    names = list(document.attachments)
    if len(names) > MAX_ATTACHMENTS:
        raise DocumentHostile(f"The PDF has more than {MAX_ATTACHMENTS} attachments.", field="document")
    by_name = {name.lower(): name for name in names}
    known = [by_name[name] for name in NAMES if name in by_name]
    others = [name for name in names if name.lower().endswith(".xml")]
    if not known and len(others) != 1:
        raise DocumentUnreadable("The PDF carries no invoice XML.", field="document")
    return _bytes(document.attachments[(known or others)[0]].get_file().obj)


def _bytes(stream: pikepdf.Object) -> bytes:
    raw = stream.read_raw_bytes()
    filters = stream.get("/Filter")
    named = [str(each) for each in filters] if isinstance(filters, pikepdf.Array) else [str(filters)] if filters else []
    if not named:
        return _capped(raw)
    if named != ["/FlateDecode"] or stream.get("/DecodeParms") is not None:
        raise DocumentUnreadable("The invoice XML is packed in an unusual way.", field="document")
    opened = zlib.decompressobj()
    try:
        return _capped(opened.decompress(raw, MAX_BYTES + 1))
    except zlib.error as error:
        raise DocumentUnreadable("The invoice XML cannot be unpacked.", field="document") from error


def _capped(data: bytes) -> bytes:
    if len(data) > MAX_BYTES:
        raise DocumentHostile("The invoice XML unpacks to more than 20 MB.", field="document")
    return data
