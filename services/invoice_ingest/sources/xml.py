"""Hardened XML: what is built to harm its reader is refused, what is merely odd is read.

No DTD, no entity, no network, no huge tree; the size, the depth, the number of elements and of attributes are
capped while the document is fed piece by piece, so that a bad one costs little before it is refused.
"""

from collections.abc import Iterator

from lxml import etree

from services.invoice_ingest.errors import DocumentHostile, DocumentUnreadable

MAX_BYTES = 20_000_000
MAX_DEPTH = 64
MAX_ELEMENTS = 200_000
MAX_ATTRIBUTES = 64
MAX_NAMESPACES = 200
_PIECE = 65_536


def parse(data: bytes) -> etree._Element:
    """The root of a document. Raises DocumentHostile or DocumentUnreadable."""
    if len(data) > MAX_BYTES:
        raise DocumentHostile(f"The document is larger than {MAX_BYTES // 1_000_000} MB.", field="document")
    if b"<!DOCTYPE" in data[:_PIECE] or b"<!ENTITY" in data[:_PIECE]:
        raise _doctype()
    parser = etree.XMLPullParser(
        events=("start", "end", "start-ns"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    guard = _Guard()
    try:
        for start in range(0, len(data), _PIECE):
            parser.feed(data[start : start + _PIECE])
            guard.look(parser.read_events())
        root = parser.close()
        guard.look(parser.read_events())
    except etree.XMLSyntaxError as error:
        guard.look(parser.read_events())
        raise DocumentUnreadable(f"It is not well-formed XML: {str(error)[:200]}", field="document") from error
    if root is None:
        raise DocumentUnreadable("The document is empty.", field="document")
    return root


def _doctype() -> DocumentHostile:
    return DocumentHostile("A document type declaration is not taken.", field="document")


class _Guard:
    """Counts what the parser has seen."""

    def __init__(self) -> None:
        self.depth = self.elements = self.namespaces = 0

    def look(self, events: Iterator[tuple[str, object]]) -> None:
        """Raise DocumentHostile as soon as a cap is passed."""
        for what, seen in events:
            if what == "end":
                self.depth -= 1
            elif what == "start-ns":
                self.namespaces += 1
                _cap(self.namespaces, MAX_NAMESPACES, "namespaces")
            elif isinstance(seen, etree._Element):
                self._entered(seen)

    def _entered(self, element: etree._Element) -> None:
        if self.elements == 0 and _declares(element):
            raise _doctype()
        self.depth += 1
        self.elements += 1
        _cap(self.depth, MAX_DEPTH, "levels")
        _cap(self.elements, MAX_ELEMENTS, "elements")
        _cap(len(element.attrib), MAX_ATTRIBUTES, "attributes")


def _declares(root: etree._Element) -> bool:
    return root.getroottree().docinfo.internalDTD is not None


def _cap(found: int, most: int, what: str) -> None:
    if found > most:
        raise DocumentHostile(f"The document has more than {most} {what}.", field="document")


class Node:
    """An element asked by local names, whatever the namespace prefix: `node.text("PaymentMeans/PaymentID")`."""

    def __init__(self, element: etree._Element) -> None:
        self.element = element

    def all(self, path: str) -> "list[Node]":
        """Every element at this path of local names, in document order."""
        steps = "/".join("{*}" + name for name in path.split("/"))
        return [Node(found) for found in self.element.iterfind(steps)]

    def one(self, path: str) -> "Node | None":
        """The first element at this path."""
        steps = "/".join("{*}" + name for name in path.split("/"))
        found = self.element.find(steps)
        return Node(found) if found is not None else None

    def text(self, *paths: str) -> str | None:
        """The words of the first of these paths that has any."""
        for path in paths:
            for node in self.all(path):
                if words := node.words():
                    return words
        return None

    def words(self) -> str:
        """Its own text with white space made single."""
        return " ".join((self.element.text or "").split())

    def attribute(self, name: str) -> str | None:
        """An attribute without a namespace."""
        return self.element.get(name)
