"""One camt entry (Ntry) and its details (TxDtls): who, how much, with which references, and what for.

Protects: the signed details, with the charges told, sum to the entry; a pending entry is never booked; a return is
told as a return. Details whose amounts are in another currency count only through a converted amount.
"""

from collections.abc import Callable

from services.payment_matching.statements import exchange
from services.payment_matching.statements.camt_tree import Tree, day, down, minor, nodes, signed, text, texts
from services.payment_matching.statements.told import Entry, Movement, Status, prove_entry

STATUSES: dict[str, Status] = {
    "BOOK": "booked",
    "PDNG": "pending",
    "FUTR": "pending",
    "INFO": "information",
}
_NOTHING = {"NOTPROVIDED", "NONREF", "NOT PROVIDED"}

Amount = tuple[str, str]


def _amount(told: Tree) -> Amount | None:
    amount, currency = text(told, "Amt"), told.get("Amt@Ccy")
    return (amount, currency) if amount and currency else None


_AMOUNTS: tuple[Callable[[Tree], Amount | None], ...] = (
    _amount,
    lambda told: _amount(down(told, "AmtDtls", "TxAmt")),
    lambda told: _amount(down(told, "AmtDtls", "CntrValAmt")),
    lambda told: _amount(down(told, "AmtDtls", "InstdAmt")),
)
"""Where a detail's amount may stand, the one in the account's own currency first."""


def entry(told: Tree, number: int) -> Entry:
    """The entry as told, proved to the cent. Raises UnreadableStatement, naming the entry by its number."""
    where = f"entry {number}"
    currency = told.get("Amt@Ccy") or ""
    amount = signed(minor(text(told, "Amt"), currency, where), text(told, "CdtDbtInd"), where)
    status = _status(told)
    details = [one for group in nodes(told, "NtryDtls") for one in nodes(group, "TxDtls")]
    charges = _charges(told, currency, where)
    booked = details if status == "booked" else []
    amounts, used = _split((amount, currency), booked, charges, where)
    bank_reference = known(text(told, "AcctSvcrRef")) or known(text(told, "NtryRef"))
    if amounts is None:
        movements: tuple[Movement, ...] = (_movement(told, _merged(details), amount, currency, bank_reference),)
    else:
        movements = tuple(
            _movement(told, one, part, currency, None if len(details) > 1 else bank_reference)
            for one, part in zip(details, amounts, strict=True)
        )
    return Entry(
        amount=amount,
        currency=currency,
        status=status,
        booked_on=day(told, "BookgDt", where),
        value_on=day(told, "ValDt", where),
        bank_reference=bank_reference,
        movements=movements,
        detailed=amounts is not None,
        charges=used,
    )


def _status(told: Tree) -> Status:
    # Up to version 07 a text, later a choice; an entry without one is on the statement, so it is booked.
    code = text(told, "Sts") or text(told, "Sts", "Cd") or "BOOK"
    return STATUSES.get(code, "information")


def _charges(told: Tree, currency: str, where: str) -> int:
    """Unsigned charges of one level: the total if told, else the records (version 02 repeats the block itself)."""
    found = 0
    for block in nodes(told, "Chrgs"):
        records = nodes(block, "Rcrd") or [block]
        total, of = text(block, "TtlChrgsAndTaxAmt"), block.get("TtlChrgsAndTaxAmt@Ccy")
        if total and of == currency:
            found += minor(total, of, where)
        else:
            found += sum(minor(one[0], one[1], where) for r in records if (one := _amount(r)) and one[1] == currency)
    return found


def _split(whole: tuple[int, str], details: list[Tree], charges: int, where: str) -> tuple[list[int] | None, int]:
    """The signed amount of each detail and the charges used; None when the bank did not tell them one by one."""
    amount, currency = whole
    if not details:
        return None, 0
    tries = [found for place in _AMOUNTS if (found := _parts(details, place, amount, currency, where)) is not None]
    if not tries:
        return ([amount] if len(details) == 1 else None), 0
    own = sum(_charges(one, currency, where) for one in details)
    possible = [charges, own, charges + own]
    best = next((parts for parts in tries if sum(parts) == amount), tries[0])
    return best, prove_entry(amount, best, possible, where)


def _parts(
    details: list[Tree], place: Callable[[Tree], Amount | None], amount: int, currency: str, where: str
) -> list[int] | None:
    parts = []
    for one in details:
        found = place(one)
        if found is None or found[1] != currency:
            return None
        sign = text(one, "CdtDbtInd") or ("CRDT" if amount >= 0 else "DBIT")
        parts.append(signed(minor(found[0], found[1], where), sign, where))
    return parts


def _merged(details: list[Tree]) -> Tree:
    return details[0] if len(details) == 1 else {}


def known(reference: str | None) -> str | None:
    """The reference, unless it says that there is none."""
    return None if reference is None or reference.upper() in _NOTHING else reference


def _movement(told: Tree, detail: Tree, amount: int, currency: str, bank_reference: str | None) -> Movement:
    references = down(detail, "Refs")
    returned = down(detail, "RtrInf") or down(told, "RtrInf")
    reversal = text(told, "RvslInd") == "true" or _family_returns(told) or _family_returns(detail)
    name, iban, ultimate = _party(detail, incoming=amount >= 0, returned=bool(returned) or reversal)
    remittance = down(detail, "RmtInf")
    instructed, rate = exchange.camt(detail if "AmtDtls" in detail else {**detail, **_alone(told)}, currency)
    return Movement(
        amount=amount,
        currency=currency,
        party_name=name,
        party_iban=iban,
        ultimate_name=ultimate,
        remittance=_remittance(told, detail, remittance),
        structured_references=tuple(_structured(remittance)),
        end_to_end_id=known(text(references, "EndToEndId")),
        instruction_id=known(text(references, "InstrId")),
        transaction_id=known(text(references, "TxId")),
        bank_reference=known(text(references, "AcctSvcrRef")) or bank_reference,
        uetr=text(references, "UETR"),
        mandate_id=known(text(references, "MndtId")),
        return_code=text(returned, "Rsn", "Cd") or text(returned, "Rsn", "Prtry"),
        instructed=instructed,
        exchange_rate=rate,
        returned=bool(returned) or reversal,
    )


def _alone(told: Tree) -> Tree:
    """What an entry of one movement tells of its currencies."""
    details = [one for group in nodes(told, "NtryDtls") for one in nodes(group, "TxDtls")]
    return {"AmtDtls": down(told, "AmtDtls")} if len(details) <= 1 else {}


def _family_returns(told: Tree) -> bool:
    """Bank transaction codes that say: returned or reversed (ISO 20022 external code set: RRTN, RPCR, UPDD …)."""
    return text(told, "BkTxCd", "Domn", "Fmly", "SubFmlyCd") in _RETURNS


_RETURNS = {"RRTN", "RPCR", "UPDD", "UPCT", "PRDD", "RRCT"}


def _party(detail: Tree, *, incoming: bool, returned: bool) -> tuple[str | None, str | None, str | None]:
    """The other party: the debtor of money that came in, also when it is taken back."""
    parties = down(detail, "RltdPties")
    side = "Dbtr" if incoming or returned else "Cdtr"
    if returned and incoming:
        side = "Cdtr"
    account = down(parties, f"{side}Acct", "Id")
    iban = text(account, "IBAN") or text(account, "Othr", "Id")
    return _name(parties, side), iban.replace(" ", "").upper() if iban else None, _name(parties, f"Ultmt{side}")


def _name(parties: Tree, side: str) -> str | None:
    return text(parties, side, "Nm") or text(parties, side, "Pty", "Nm")


def _remittance(told: Tree, detail: Tree, remittance: Tree) -> str:
    parts = [*texts(remittance, "Ustrd")]
    for block in nodes(remittance, "Strd"):
        parts += [number for document in nodes(block, "RfrdDocInf") for number in texts(document, "Nb")]
        parts += texts(block, "AddtlRmtInf")
    parts += texts(detail, "AddtlTxInf")
    if not parts:
        parts = [*texts(told, "AddtlNtryInf")]
    return " ".join(part for part in parts if part.upper() not in _NOTHING)[:2000]


def _structured(remittance: Tree) -> list[str]:
    found = [known(text(block, "CdtrRefInf", "Ref")) for block in nodes(remittance, "Strd")]
    return [reference for reference in found if reference][:50]
