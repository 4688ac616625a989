"""Small MT940, MT942, CFONB 120, CODA, OFX and BAI2 files, written for the tests that read them."""

from collections.abc import Sequence

MT940 = """{1:F01BANKDEFFXXXX0000000000}{2:O940BANKDEFFXXXXN}{4:
:20:STARTUMS
:25:12030000/1234567890EUR
:28C:00119/001
:60F:C261119EUR1000,00
:61:2611201120CR1250,50NTRFNONREF//BANKREF0001
:86:166?00GUTSCHR. UEBERWEISUNG?100599?20EREF+E2E-4711?21SVWZ+Rechnung FA-2026-
?220001?30DRESDEFF508?31DE89370400440532013000?32Muster Gmb?33H
:61:2611201120D50,NMSCNONREF
:86:GEBUEHREN
:62F:C261120EUR2200,50
:64:C261120EUR2200,50
:86:Text of the statement, not of the last entry
-}
"""

MT942 = """:20:INTRADAY
:25:FR7630006000011234567890189
:28C:1/1
:34F:EUR0,
:13D:2611201130+0100
:61:2611201120C100,00NTRFNONREF//B1
:86:/EREF/E1/NAME/DUPONT SARL/REMI/FA-1
:61:2611201120EC40,00NTRFNONREF//B2
:86:EXPECTED
:90D:0EUR0,
:90C:2EUR140,00
"""

BANK, BRANCH, NUMBER = "30006", "00001", "12345678901"
"""Of FR7630006000011234567890189."""


def overpunched(minor: int) -> str:
    """Fourteen characters whose last one carries the sign."""
    digits = f"{abs(minor):014d}"
    return digits[:13] + ("}JKLMNOPQR" if minor < 0 else "{ABCDEFGHI")[int(digits[13])]


def balance(kind: str, minor: int, on: str) -> str:
    """A 01 or 07 record."""
    return f"{kind}{BANK}    {BRANCH}EUR2 {NUMBER}  {on}{'':50}{overpunched(minor)}{'':16}"


def operation(minor: int, label: str, *, reference: str = "", rejected: str = "", on: str = "201126") -> str:
    """A 04 record."""
    code = "05" if minor > 0 else "B1"
    return (
        f"04{BANK}0001{BRANCH}EUR2 {NUMBER}{code}{on}{rejected:2}{on}{label:31}  {'0000001':7}  "
        f"{overpunched(minor)}{reference:16}"
    )


def more(qualifier: str, told: str, on: str = "201126") -> str:
    """A 05 record."""
    return f"05{BANK}0001{BRANCH}EUR2 {NUMBER}05{on}     {qualifier}{told:70}  "


def cfonb(*records: str) -> bytes:
    """A file of these records, in the old encoding."""
    return "\r\n".join(records).encode("cp1252")


def whole(
    opening: int, records: Sequence[str], closing: int, days: tuple[str, str] = ("191126", "201126")
) -> list[str]:
    """The records of one statement."""
    return [balance("01", opening, days[0]), *records, balance("07", closing, days[1])]


def coda_movement(sequence: int, minor: int, kind: str, message: str, detail: int = 0) -> str:
    """A 21 record; `kind` says what it is: 0 simple, 1 a total of the customer's, 5 a part of it."""
    sign = "1" if minor < 0 else "0"
    reference = f"REF{sequence:03d}{detail:03d}"
    return (
        f"21{sequence:04d}{detail:04d}{reference:21}{sign}{abs(minor) * 10:015d}201126{kind}0150000"
        f"{message:54}2011260010{'1' if kind == '0' else '0'} 0"
    )


def coda_of(moved: int, *records: str) -> bytes:
    """A statement of these records (21, 22, 23), whose simple movements and totals sum to `moved` minor units."""
    credit, debit = max(0, moved) * 10, max(0, -moved) * 10
    account, sign = f"{'BE68539007547034':34}EUR", "1" if moved < 0 else "0"
    lines = [
        f"0000020112630005{'':18}{'NOUS SA':26}{'KREDBEBB':11}00400000000 00000{'':39}2",
        f"12001{account}0{0:015d}191126{'NOUS SA':26}{'':35}001",
        *records,
        f"8001{account}{sign}{abs(moved) * 10:015d}201126{'':64}0",
        f"9{'':15}{len(records) + 2:06d}{debit:015d}{credit:015d}{'':75}2",
    ]
    return "\n".join(line.ljust(128) for line in lines).encode()


def coda_debit(why: str, kind: str = " ", reason: str = "") -> tuple[str, str, str]:
    """A direct debit of 50.00 that comes back: why it was not paid, and the R-transaction its communication tells."""
    told = f"1127201126{'11'}{why}{'BE69ZZZ050D000000008':35}{'MANDATE-1':35}{'FA-2026-0001':62}{kind}{reason:4}"
    return (
        coda_movement(1, -5000, "0", told[:54]),
        f"2200010000{told[54:107]:53}{'E2E-1':35}{'':27}1 0",
        f"2300010000{'BE62510007547061':37}{'DUPONT SPRL':35}{told[107:150]:43}0 0",
    )


def coda(*, last: int = 6000) -> bytes:
    """A statement of one simple receipt with a structured communication, and a batch of two."""
    address, bank, company = f"{'NOUS SA':26}", f"{'KREDBEBB':11}", "00400000000"
    account = f"{'BE68539007547034':34}EUR"
    lines = [
        f"0000020112630005{'':8}{'':10}{address}{bank}{company} 00000{'':39}2",
        f"12001{account}0{0:015d}191126{'NOUS SA':26}{'':35}001",
        coda_movement(1, 5000, "0", "1101090933755493"),
        f"2200010000{'':53}{'E2E-1':35}{'':27}1 0",
        f"2300010000{'BE62510007547061':37}{'DUPONT SPRL':35}{'':43}0 0",
        coda_movement(2, 10000, "1", "0BATCH"),
        coda_movement(2, 4000, "5", "0FA-2026-0001", detail=1),
        coda_movement(2, last, "5", "0FA-2026-0002", detail=2),
        f"8001{account}0{150000:015d}201126{'':64}0",
        f"9{'':15}{8:06d}{0:015d}{150000:015d}{'':75}2",
    ]
    return "\n".join(line.ljust(128) for line in lines).encode()


def ofx(*entries: str) -> bytes:
    """An OFX 1 statement of the account that `cfonb` is of."""
    return (
        "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nENCODING:USASCII\nCHARSET:1252\n\n"
        "<OFX><BANKMSGSRSV1><STMTTRNRS><TRNUID>0<STMTRS><CURDEF>EUR"
        f"<BANKACCTFROM><BANKID>{BANK}<BRANCHID>{BRANCH}<ACCTID>{NUMBER}<ACCTTYPE>CHECKING</BANKACCTFROM>"
        f"<BANKTRANLIST><DTSTART>20261101<DTEND>20261120{''.join(entries)}</BANKTRANLIST>"
        "<LEDGERBAL><BALAMT>1200.50<DTASOF>20261120</LEDGERBAL></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>"
    ).encode()


def ofx_entry(amount: str, name: str = "VIR DUPONT", number: str = "F1", extra: str = "") -> str:
    """One STMTTRN."""
    return (
        f"<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20261120<TRNAMT>{amount}<FITID>{number}<NAME>{name}"
        f"<MEMO>FA-1 &amp; FA-2{extra}</STMTTRN>"
    )


def bai2(closing: int = 12500, records: int = 5) -> bytes:
    """One account with a credit and a debit."""
    total = 10000 + closing + 3500 + 1000
    return (
        "01,BANKGB,OURS,261120,2340,1,,,2/\n02,OURS,BANKGB,1,261120,2340,GBP,2/\n"
        f"03,77777777,GBP,010,10000,,,015,{closing},,/\n16,195,3500,0,BREF1,CREF1,FA-2026-0001/\n88,DUPONT LTD\n"
        f"16,698,1000,0,,,FEE/\n49,{total},{records}/\n98,{total},1,{records + 2}/\n99,{total},1,{records + 4}/\n"
    ).encode()
