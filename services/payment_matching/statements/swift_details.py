"""What the :86: of a SWIFT statement says, in the dialects that banks write.

German sub-fields (?20 … ?34, EREF+ SVWZ+), Dutch and Belgian codes (/NAME/ /REMI/ /CNTP/), non-SWIFT :NS: sub-fields,
and free text. Protects: an account of the other party is taken only when its check digits hold; what a payer wrote
stays in the remittance, whatever it looks like. Sources: DFÜ-Abkommen annex 3 (Geschäftsvorfallcodes,
Textschlüsselergänzungen); SWIFT for Corporates MT940 structured information to account owner.
"""

import re
from dataclasses import dataclass
from typing import Any

from services.payment_matching.statements import exchange, plain

_CODES = re.compile(
    r"/(TRTP|IBAN|BIC|NAME|REMI|EREF|CSID|MARF|BENM|ORDP|ISDT|ADDR|ULTD|ULTB|UCRD|UDTR|RTRN|PREF|CNTP|PURP|RTYP|SVCL|"
    r"ID|KREF|IREF|IACC|PY|PT)/"
)
_RETURNS = frozenset({"108", "109", "159", "181", "184"})
"""Business transaction codes of returned debits and transfers."""
_REASONS = {
    "901": "AC01", "902": "AC04", "903": "AC06", "904": "AG01", "905": "AG02", "906": "AM04", "907": "AM05",
    "908": "BE04", "909": "MD01", "910": "MD02", "911": "MD06", "912": "MD07", "913": "MS02", "914": "MS03",
    "915": "RC01",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Details:
    """Who, why and under which references."""

    name: str | None = None
    iban: str | None = None
    ultimate_name: str | None = None
    remittance: str = ""
    structured: tuple[str, ...] = ()
    end_to_end_id: str | None = None
    instruction_id: str | None = None
    mandate_id: str | None = None
    return_code: str | None = None
    returned: bool = False


def details(data: dict[str, Any]) -> Details:
    """From what the library made of one :61: and its :86: (or :NS:) lines."""
    line = _of_the_line(data)
    if data.get("transaction_code") is not None:
        return _german(data, line)
    text = str(data.get("transaction_details") or "")
    coded = exchange.without(text.replace("\n", ""))
    if _CODES.search(coded):
        return _coded(coded, line)
    if data.get("non_swift"):
        return _non_swift(data, line)
    told = plain.spaced(f"{line} {text if coded else ''}")
    return Details(
        iban=plain.iban_in(told),
        remittance=told,
        instruction_id=_instruction(data),
    )


def _of_the_line(data: dict[str, Any]) -> str:
    """The text of the :61: itself; a reference of 16 characters may go on in the text."""
    reference, extra = str(data.get("customer_reference") or ""), str(data.get("extra_details") or "")
    if _goes_on(data):
        return f"{reference}{extra}"
    extra = exchange.without(extra)
    return extra if plain.known(reference) is None else f"{reference} {extra}"


def _goes_on(data: dict[str, Any]) -> bool:
    reference = str(data.get("customer_reference") or "")
    whole = len(reference) == 16 and not data.get("bank_reference") and not reference.endswith(" ")
    return whole and bool(data.get("extra_details"))


def banks_own(data: dict[str, Any]) -> tuple[str, str]:
    """The texts at whose head a bank tells figures: of the :61:, where no reference of the payer's goes on in it, and
    of the :86:, whose lines are cut anywhere."""
    line = "" if _goes_on(data) else str(data.get("extra_details") or "")
    return line, str(data.get("transaction_details") or "").replace("\n", "")


def _instruction(data: dict[str, Any]) -> str | None:
    found = plain.known(data.get("customer_reference"))
    return None if found is None or found.upper() in ("EREF", "KREF+", "MARF", "PREF") else found


def _german(data: dict[str, Any], line: str) -> Details:
    code = str(data.get("transaction_code") or "")
    note = str(data.get("return_debit_notes") or "")[:3]
    iban = plain.iban_in(data.get("applicant_iban")) or plain.iban_in(data.get("gvc_applicant_iban"))
    purpose = plain.spaced(" ".join(str(data.get(key) or "") for key in ("purpose", "additional_purpose")))
    returned = code in _RETURNS
    return Details(
        name=plain.known(data.get("applicant_name")),
        iban=iban,
        ultimate_name=plain.known(data.get("deviate_applicant")),
        remittance=purpose or plain.spaced(line),
        end_to_end_id=plain.known(data.get("end_to_end_reference")),
        instruction_id=_instruction(data),
        mandate_id=plain.known(data.get("additional_position_reference")),
        return_code=_REASONS.get(note) if returned else None,
        returned=returned,
    )


def _coded(text: str, line: str) -> Details:
    parts = _CODES.split(text)
    told: dict[str, str] = {}
    for code, value in zip(parts[1::2], parts[2::2], strict=True):
        told.setdefault(code, value.strip("/ "))
    party = told.get("CNTP", "").split("/")
    remittance = told.get("REMI", "")
    structured = re.match(r"STRD/[A-Z]{0,3}/(.+)", remittance)
    remittance = re.sub(r"^(USTD//|STRD/[A-Z]{0,3}/)", "", remittance)
    return Details(
        name=plain.known(told.get("NAME")) or (plain.known(party[2]) if len(party) > 2 else None),
        iban=plain.iban_in(told.get("IBAN")) or plain.iban_in(party[0]) or plain.iban_in(line),
        ultimate_name=plain.known(told.get("ULTD", told.get("UDTR"))),
        remittance=plain.spaced(remittance or parts[0]) or plain.spaced(line),
        structured=(structured[1].strip(),) if structured else (),
        end_to_end_id=plain.known(told.get("EREF")),
        instruction_id=plain.known(told.get("PREF")),
        mandate_id=plain.known(told.get("MARF")),
        return_code=plain.known(told.get("RTRN")),
        returned="RTRN" in told,
    )


def _non_swift(data: dict[str, Any], line: str) -> Details:
    def fields(first: int, last: int) -> str:
        return plain.spaced(" ".join(str(data.get(f"non_swift_{n:02d}") or "") for n in range(first, last + 1)))

    return Details(
        name=plain.known(fields(15, 16)),
        iban=plain.iban_in(str(data.get("non_swift_text") or "")),
        remittance=fields(1, 14) or plain.spaced(f"{line} {data.get('non_swift_text') or ''}"),
        instruction_id=_instruction(data),
    )
