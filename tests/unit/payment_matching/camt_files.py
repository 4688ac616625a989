"""Small camt files, written for the tests that read them."""

from collections.abc import Sequence


def amount(minor: int) -> str:
    """1250 → 12.50"""
    return f"{abs(minor) // 100}.{abs(minor) % 100:02d}"


def detail(
    minor: int,
    *,
    remittance: str = "",
    name: str = "",
    iban: str = "",
    end_to_end: str = "NOTPROVIDED",
    reference: str = "",
    code: str = "",
    transaction: str = "",
    extra: str = "",
) -> str:
    """One TxDtls; the sign of the amount says CRDT or DBIT."""
    returned = f"<RtrInf><Rsn><Cd>{code}</Cd></Rsn></RtrInf>" if code else ""
    structured = f"<Strd><CdtrRefInf><Ref>{reference}</Ref></CdtrRefInf></Strd>" if reference else ""
    identity = f"<TxId>{transaction}</TxId>" if transaction else ""
    return (
        f"<TxDtls><Refs><EndToEndId>{end_to_end}</EndToEndId>{identity}</Refs>"
        f'<Amt Ccy="EUR">{amount(minor)}</Amt><CdtDbtInd>{"DBIT" if minor < 0 else "CRDT"}</CdtDbtInd>{extra}'
        f"<RltdPties><Dbtr><Pty><Nm>{name}</Nm></Pty></Dbtr><DbtrAcct><Id><IBAN>{iban}</IBAN></Id></DbtrAcct></RltdPties>"
        f"<RmtInf><Ustrd>{remittance}</Ustrd>{structured}</RmtInf>{returned}</TxDtls>"
    )


def converted(minor: int, currency: str, rate: str = "", *, sent: int = 0) -> str:
    """The AmtDtls of a payment that was ordered in another currency; `sent`: what charges on the way left of it."""
    exchange = f"<CcyXchg><SrcCcy>{currency}</SrcCcy><XchgRate>{rate}</XchgRate></CcyXchg>" if rate else ""
    arrived = f'<TxAmt><Amt Ccy="{currency}">{amount(sent)}</Amt></TxAmt>' if sent else ""
    ordered = f'<InstdAmt><Amt Ccy="{currency}">{amount(minor)}</Amt></InstdAmt>'
    return f"<AmtDtls>{ordered}{arrived}<CntrValAmt>{exchange}</CntrValAmt></AmtDtls>"


def entry(
    minor: int, *details: str, status: str = "BOOK", reference: str = "", on: str = "2026-11-20", extra: str = ""
) -> str:
    """One Ntry with its details."""
    inside = f"<NtryDtls>{''.join(details)}</NtryDtls>" if details else ""
    service = f"<AcctSvcrRef>{reference}</AcctSvcrRef>" if reference else ""
    return (
        f'<Ntry><Amt Ccy="EUR">{amount(minor)}</Amt><CdtDbtInd>{"DBIT" if minor < 0 else "CRDT"}</CdtDbtInd>'
        f"<Sts><Cd>{status}</Cd></Sts><BookgDt><Dt>{on}</Dt></BookgDt><ValDt><Dt>{on}</Dt></ValDt>{service}{extra}"
        f"{inside}</Ntry>"
    )


def balance(code: str, minor: int, on: str) -> str:
    """One Bal."""
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{amount(minor)}</Amt>'
        f"<CdtDbtInd>{'DBIT' if minor < 0 else 'CRDT'}</CdtDbtInd><Dt><Dt>{on}</Dt></Dt></Bal>"
    )


def statement(
    account: str,
    entries: Sequence[str],
    *,
    opening: int,
    closing: int,
    opens: str = "2026-11-19",
    closes: str = "2026-11-20",
    reference: str = "S1",
) -> str:
    """One Stmt with opening and closing balances."""
    return (
        f"<Stmt><Id>{reference}</Id><Acct><Id><IBAN>{account}</IBAN></Id><Ccy>EUR</Ccy></Acct>"
        f"{balance('OPBD', opening, opens)}{balance('CLBD', closing, closes)}{''.join(entries)}</Stmt>"
    )


def camt053(*statements: str) -> bytes:
    """A camt.053.001.08 message."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">'
        f"<BkToCstmrStmt><GrpHdr><MsgId>M1</MsgId></GrpHdr>{''.join(statements)}</BkToCstmrStmt></Document>"
    ).encode()


def camt054(account: str, entries: Sequence[str], reference: str = "N1") -> bytes:
    """A camt.054.001.08 message with one notification."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08">'
        "<BkToCstmrDbtCdtNtfctn><GrpHdr><MsgId>M1</MsgId></GrpHdr>"
        f"<Ntfctn><Id>{reference}</Id><Acct><Id><IBAN>{account}</IBAN></Id></Acct>{''.join(entries)}</Ntfctn>"
        "</BkToCstmrDbtCdtNtfctn></Document>"
    ).encode()
