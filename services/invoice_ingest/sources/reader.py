"""Any document that holds an invoice, by what its bytes say, not by its name."""

from services.invoice_ingest.errors import DocumentHostile, DocumentUnreadable
from services.invoice_ingest.sources import cii, ubl, xml
from services.invoice_ingest.sources.canonical import CanonicalInvoice
from services.invoice_ingest.sources.xml import Node

PDF = "application/pdf"
XML = "application/xml"


def media_type(data: bytes) -> str | None:
    """application/pdf, application/xml, or None for anything else."""
    if b"%PDF-" in data[:1024]:
        return PDF
    head = data[:512].lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n")
    return XML if head.startswith(b"<") else None


def read(data: bytes) -> CanonicalInvoice:
    """UBL, CII, or the XML inside a Factur-X PDF. Raises DocumentUnreadable, DocumentHostile or ContractBroken."""
    if len(data) > xml.MAX_BYTES:
        raise DocumentHostile("The document is larger than 20 MB.", field="document")
    kind = media_type(data)
    if kind is None:
        raise DocumentUnreadable("It is neither XML nor PDF.", field="document")
    if kind != PDF:
        return read_xml(data)
    from services.invoice_ingest.sources import facturx  # noqa: PLC0415 - 8 MB that only a PDF needs

    return read_xml(facturx.invoice_xml(data))


def read_xml(data: bytes) -> CanonicalInvoice:
    """UBL or CII, by the root's name and namespace."""
    root = Node(xml.parse(data))
    tag = str(root.element.tag)
    if tag in ubl.ROOTS:
        return ubl.read(root)
    if tag in cii.ROOTS:
        return cii.read(root)
    raise DocumentUnreadable(f"{tag[:120]} is no invoice that is known here.", field="document")
