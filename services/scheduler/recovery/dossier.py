"""A recovery file as bytes: documents, notices, delivery evidence and interest sheets, an index, a manifest of hashes.

The rule it protects: every file stands in the manifest with its SHA-256, the seal is over the manifest, and the same
contents make the same zip, byte for byte. Names inside it come from our own numbering, never from outside alone.
"""

import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

Language = Literal["fr", "en"]
Signer = Callable[[bytes], str]
UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("Dossier de recouvrement", "Recovery file"),
    "creditor": ("Créancier", "Creditor"),
    "debtor": ("Débiteur", "Debtor"),
    "claims": ("Créances", "Claims"),
    "number": ("Facture", "Invoice"),
    "issued": ("Émise le", "Issued"),
    "due": ("Échéance", "Due"),
    "amount": ("Montant", "Amount"),
    "owed": ("Restant dû", "Owed"),
    "interest": ("Intérêts de retard", "Late-payment interest"),
    "lump_sum": ("Indemnité forfaitaire", "Recovery indemnity"),
    "total": ("Total", "Total"),
    "contents": ("Pièces", "Contents"),
    "missing": ("Pièces manquantes", "What is missing"),
    "invoice": ("pas de copie de la facture", "no copy of the invoice"),
    "order": ("pas de devis ni de commande", "no quote or order"),
    "delivery": ("pas de preuve de livraison ou d'exécution", "no proof of delivery or performance"),
    "formal_notice": ("aucune mise en demeure envoyée", "no formal notice was sent"),
    "seal": (
        "Chaque pièce figure avec son empreinte SHA-256 dans manifest.json, scellé par manifest.sig (Ed25519, clé"
        " publique dans seal-key.txt).",
        "Every file stands with its SHA-256 in manifest.json, which manifest.sig seals (Ed25519, public key in"
        " seal-key.txt).",
    ),
}
WANTED: Mapping[str, frozenset[str]] = {
    "invoice": frozenset({"invoice"}),
    "order": frozenset({"order", "quote"}),
    "delivery": frozenset({"delivery_note"}),
}
"""What each claim is to be proved by → the kinds of documents that prove it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One claim: amounts as they are shown, the rows of its interest sheet, the documents that prove it."""

    number: str
    issue_date: str
    due_date: str
    amount: str
    owed: str
    interest: str
    lump_sum: str
    sheet: Sequence[Mapping[str, Any]] = ()
    documents: Sequence["Document"] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A document of an invoice, byte for byte."""

    kind: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Dossier:
    """Everything that a file holds. `facts` is what the manifest says beside the files."""

    language: Language
    facts: Mapping[str, Any]
    creditor: str
    debtor: str
    currency: str
    total: str
    items: Sequence[Item]
    notices: Sequence[Mapping[str, Any]] = ()
    calls: Sequence[Mapping[str, Any]] = ()
    history: Mapping[str, Any] = field(default_factory=dict)


def missing(dossier: Dossier) -> list[tuple[str, str]]:
    """(invoice number, what it lacks): a copy, an order, a proof of delivery, a formal notice."""
    warned = {number for told in dossier.notices if told["kind"] == "formal_notice" for number in told["numbers"]}
    found = []
    for item in dossier.items:
        kinds = {document.kind for document in item.documents}
        found += [(item.number, what) for what, proofs in WANTED.items() if not kinds & proofs]
        if item.number not in warned:
            found.append((item.number, "formal_notice"))
    return found


def files(dossier: Dossier) -> dict[str, bytes]:
    """Name → bytes, without the manifest; in the order in which they stand in the zip."""
    made: dict[str, bytes] = {"claims.csv": _claims(dossier)}
    for place, item in enumerate(dossier.items, 1):
        stem = f"{place:03}-{_safe(item.number)}"
        made[f"interest/{stem}.csv"] = _table(list(item.sheet[0]) if item.sheet else ["first"], item.sheet)
        for count, document in enumerate(item.documents, 1):
            made[f"invoices/{stem}/{count:02}-{_safe(document.kind)}.{_suffix(document.media_type)}"] = document.content
    for place, told in enumerate(dossier.notices, 1):
        stem = f"notices/{place:03}-{(told['sent_at'] or '')[:10]}-{_safe(told['step_key'])}"
        made[f"{stem}.html"] = (told["markup"] or "").encode()
        made[f"{stem}.txt"] = f"{told['subject'] or ''}\n\n{told['words'] or ''}".encode()
    made["deliveries.csv"] = _deliveries(dossier)
    made["calls.json"] = _json(list(dossier.calls))
    made["history.json"] = _json(dict(dossier.history))
    return {"index.html": _index(dossier, made).encode(), **made}


def sealed(dossier: Dossier, sign: Signer, key: str) -> tuple[bytes, bytes, str]:
    """(the zip, its manifest, the seal over the manifest)."""
    held = files(dossier)
    listed = [{"name": name, "size": len(data), "sha256": _hash(data)} for name, data in held.items()]
    manifest = _json({**dossier.facts, "files": listed})
    seal = sign(manifest)
    whole = {**held, "manifest.json": manifest, "manifest.sig": seal.encode(), "seal-key.txt": key.encode()}
    return _zipped(whole), manifest, seal


def _zipped(held: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in held.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, data)
    return out.getvalue()


def _claims(dossier: Dossier) -> bytes:
    names = ("number", "issue_date", "due_date", "amount", "owed", "interest", "lump_sum")
    rows = [{name: getattr(item, name) for name in names} | {"currency": dossier.currency} for item in dossier.items]
    return _table([*names, "currency"], rows)


def _deliveries(dossier: Dossier) -> bytes:
    of_notice = ("step_key", "kind", "channel", "first_approver", "approved_by", "approved_at")
    of_delivery = ("delivery_id", "recipient", "state", "sent_at", "code", "reply", "bounce_status", "sha256")
    rows = [
        {
            "notice_id": told["notice_id"],
            **{name: told[name] for name in of_notice},
            **{n: each[n] for n in of_delivery},
        }
        for told in dossier.notices
        for each in told["deliveries"]
    ]
    return _table(["notice_id", *of_notice, *of_delivery], rows)


def _table(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([_cell(row[name]) for name in names] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def _cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _json(told: Any) -> bytes:
    return json.dumps(told, ensure_ascii=False, sort_keys=True, indent=1, default=str).encode()


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _safe(name: str) -> str:
    return UNSAFE.sub("-", name).strip(".-")[:60] or "x"


def _suffix(media_type: str) -> str:
    return {"application/pdf": "pdf", "application/xml": "xml", "text/xml": "xml"}.get(media_type, "bin")


def _index(dossier: Dossier, made: Mapping[str, bytes]) -> str:
    say = {name: escape(words[0 if dossier.language == "fr" else 1]) for name, words in WORDS.items()}
    columns = ("number", "issued", "due", "amount", "owed", "interest", "lump_sum")
    rows = [_row((i.number, i.issue_date, i.due_date, i.amount, i.owed, i.interest, i.lump_sum)) for i in dossier.items]
    pieces = [
        f'<li><a href="{escape(name)}">{escape(name)}</a> <code>{_hash(data)}</code></li>'
        for name, data in made.items()
    ]
    lacking = [f"<li>{escape(number)} : {say[what]}</li>" for number, what in missing(dossier)]
    return "\n".join((
        f'<!doctype html><html lang="{dossier.language}"><meta charset="utf-8"><title>{say["title"]}</title>',
        f"<h1>{say['title']}</h1><p>{say['creditor']} : {escape(dossier.creditor)}</p>",
        f"<p>{say['debtor']} : {escape(dossier.debtor)}</p><h2>{say['claims']} ({dossier.currency})</h2><table>",
        f"<tr>{''.join(f'<th>{say[name]}</th>' for name in columns)}</tr>", *rows,
        f"</table><p>{say['total']} : {escape(dossier.total)} {dossier.currency}</p>",
        f"<h2>{say['missing']}</h2><ul>", *lacking, f"</ul><h2>{say['contents']}</h2><ul>", *pieces,
        f"</ul><p>{say['seal']}</p></html>",
    ))  # fmt: skip


def _row(cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
