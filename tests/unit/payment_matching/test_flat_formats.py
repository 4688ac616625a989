"""MT940, MT942, CFONB 120, CODA, OFX and BAI2: read to the cent, or refused with the line and the reason."""

import pytest

from services.payment_matching.errors import UnknownFormat, UnreadableStatement
from services.payment_matching.receiving import refused_by_debtor
from services.payment_matching.statements import formats
from services.payment_matching.statements.told import Entry, Movement, Statement
from tests.unit.payment_matching import flat_files
from tests.unit.payment_matching.camt_files import camt054
from tests.unit.payment_matching.flat_files import MT940, MT942, cfonb, more, ofx, ofx_entry, operation, whole

OURS = "FR7630006000011234567890189"


def only(told: str | bytes) -> Statement:
    (found,) = formats.read(told if isinstance(told, bytes) else told.encode()).statements
    return found


def first(told: str | bytes) -> Entry:
    return only(told).entries[0]


def movement(told: str | bytes) -> Movement:
    return first(told).movements[0]


def refused(told: str | bytes, why: str) -> None:
    with pytest.raises(UnreadableStatement, match=why):
        formats.read(told if isinstance(told, bytes) else told.encode())


# Which format


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("camt.054", b"\xef\xbb\xbf\n" + camt054(OURS, [])),
        ("mt940", MT940.encode()),
        ("mt942", MT942.encode()),
        ("cfonb120", cfonb(*whole(0, [], 0))),
        ("coda", flat_files.coda()),
        ("ofx", ofx()),
        ("ofx", b'<?xml version="1.0"?><?OFX OFXHEADER="200"?>' + ofx()[ofx().index(b"<OFX>") :]),
        ("bai2", flat_files.bai2()),
    ],
)
def test_the_bytes_say_which_format_it_is(kind: str, body: bytes) -> None:
    assert formats.read(body).kind == kind


@pytest.mark.parametrize("body", [b"%PDF-1.7\n\x00\x01", b"Dear all,\nplease find attached", bytes(range(256)) * 20])
def test_what_is_no_statement_says_what_is_taken(body: bytes) -> None:
    with pytest.raises(UnknownFormat) as told:
        formats.read(body)
    assert "mapping" in told.value.remedy_text


# MT940 and MT942


def test_an_mt940_tells_who_paid_and_what_for() -> None:
    told = only(MT940)
    assert (told.account, told.opening.amount, told.closing.amount) == ("DE45120300001234567890", 100_000, 220_050)
    one = told.entries[0].movements[0]
    assert (one.party_name, one.party_iban) == ("Muster GmbH", "DE89370400440532013000")
    assert (one.remittance, one.end_to_end_id, one.bank_reference) == (
        "Rechnung FA-2026-0001",
        "E2E-4711",
        "BANKREF0001",
    )


def test_what_follows_the_closing_balance_is_no_text_of_the_last_entry() -> None:
    assert only(MT940).entries[1].movements[0].remittance == "GEBUEHREN"


def test_an_mt940_whose_balances_do_not_add_up_is_refused() -> None:
    refused(MT940.replace("2200,50", "2200,51"), "is not closing 220051")


def test_a_line_that_cannot_be_read_refuses_the_file() -> None:
    refused(MT940.replace(":61:2611201120D50,", ":61:26112011X50,"), "statement 1: '26112011X50,")


def test_a_reversal_of_a_credit_takes_money_back() -> None:
    told = MT940.replace("1120CR1250,50", "1120RC1250,50").replace(":62F:C261120EUR2200,50", ":62F:D261120EUR300,50")
    assert (movement(told).amount, movement(told).returned) == (-125_050, True)


def test_a_returned_debit_has_the_iso_reason() -> None:
    told = MT940.replace("1120CR1250,50", "1120DR1250,50").replace(":62F:C261120EUR2200,50", ":62F:D261120EUR300,50")
    told = told.replace(":86:166?00GUTSCHR. UEBERWEISUNG", ":86:109?00RETOURE").replace("?33H", "?33H?34911")
    assert (movement(told).returned, movement(told).return_code) == (True, "MD06")


def test_pages_of_one_statement_are_links_of_its_chain() -> None:
    page = ":62M:C261120EUR2250,50\n-\n:20:STARTUMS\n:25:12030000/1234567890\n:28C:00119/002\n:60M:C261120EUR2250,50\n"
    told = formats.read(MT940.replace(":61:2611201120D50", f"{page}:61:2611201120D50").encode()).statements
    assert [(one.opening.amount, one.closing.amount) for one in told] == [(100_000, 225_050), (225_050, 220_050)]


def test_an_expected_entry_of_an_mt942_is_pending() -> None:
    assert [one.status for one in only(MT942).entries] == ["booked", "pending"]
    assert movement(MT942).party_name == "DUPONT SARL"


def test_an_mt942_proves_itself_by_its_sums() -> None:
    refused(MT942.replace(":90C:2EUR140,00", ":90C:3EUR140,00"), ":90C: tells of 3 entries")
    refused(MT942.replace(":90C:2EUR140,00", ":90C:2EUR141,00"), ":90C: tells of 2 entries of 141,00")


@pytest.mark.parametrize(
    ("line", "account"),
    [
        ("NL81ASNB9999999999", "NL81ASNB9999999999"),
        ("FR76 3000 6000 0112 3456 7890 189 EUR", OURS),
        ("UBRTHUHB/123456789150ABCDEF002/EUR", "UBRTHUHB/123456789150ABCDEF002"),
        ("1291.99.348EUR", "1291.99.348"),
    ],
)
def test_an_account_has_one_name_however_a_bank_writes_it(line: str, account: str) -> None:
    assert only(MT940.replace("12030000/1234567890EUR", line)).account == account


def test_an_entry_after_the_closing_balance_is_not_lost() -> None:
    refused(MT940.replace("-}", ":61:2611201120C1,NMSCNONREF"), "a :61: line after its end")


# CFONB 120


def test_a_cfonb_operation_tells_who_paid_and_what_for() -> None:
    records = [
        operation(12_345, "VIR SEPA RECU", reference="BANKREF1"),
        more("NPY", "DUPONT SARL"),
        more("LCC", "FACTURE FA-2026-0001"),
        more("LC2", "ET AVOIR AV-3"),
        more("RCN", f"{'E2E-4711':35}SUPP"),
        more("ZZZ", "SOMETHING NEW"),
        operation(-100, "FRAIS"),
    ]
    told = only(cfonb(*whole(-50, records, 12_195)))
    one = told.entries[0].movements[0]
    assert (told.account, one.amount, one.party_name) == (OURS, 12_345, "DUPONT SARL")
    assert one.remittance == "VIR SEPA RECU FACTURE FA-2026-0001 ET AVOIR AV-3"
    assert (one.end_to_end_id, one.bank_reference) == ("E2E-4711", "BANKREF1")
    assert [entry.amount for entry in told.entries] == [12_345, -100]


def test_several_statements_of_one_account_stay_several() -> None:
    days = [("191126", "191126"), ("191126", "201126")]
    records = [*whole(0, [operation(500, "A")], 500, days[0]), *whole(500, [operation(-1, "B")], 499, days[1])]
    told = formats.read(cfonb(*records)).statements
    assert [(one.account, one.opening.amount, one.closing.amount) for one in told] == [(OURS, 0, 500), (OURS, 500, 499)]


def test_a_sign_may_be_an_accented_letter_of_the_french_code_page() -> None:
    records = [one.replace("}", "è").replace("{", "é") for one in whole(0, [operation(-500, "A")], -500)]
    assert only(cfonb(*records)).booked == -500


def test_records_without_line_ends_are_read() -> None:
    assert only("".join(whole(0, [operation(500, "A")], 500)).encode()).booked == 500


def test_a_rejected_debit_is_a_return() -> None:
    told = cfonb(*whole(500, [operation(-500, "PRLV IMPAYE", rejected="11"), more("NPY", "DUPONT")], 0))
    assert (movement(told).returned, movement(told).return_code, movement(told).party_name) == (True, "11", "DUPONT")


@pytest.mark.parametrize(
    ("told", "code", "refused_by_it"),
    [("20", "AM04", False), ("34", "AC06", False), ("58", "MS02", True), ("73", "MS02", True), ("80", "MD06", True)],
)
def test_a_banks_own_reason_is_told_as_iso_says_it(told: str, code: str, refused_by_it: bool) -> None:
    found = movement(cfonb(*whole(500, [operation(-500, "PRLV IMPAYE", rejected=told)], 0)))
    assert found.return_code == code
    assert refused_by_debtor(code) is refused_by_it


@pytest.mark.parametrize(
    ("records", "why"),
    [
        (whole(0, [operation(500, "A")], 501), "is not closing 501"),
        (whole(0, [operation(500, "A").replace("50{", "5?{")], 0), "line 2: .* is not an amount"),
        (whole(0, [operation(500, "A", on="310226")], 500), "line 2: '310226' is not a date"),
        (whole(0, [more("LIB", "A")], 0), "line 2: it tells more about an operation that is not there"),
        ([operation(500, "A")], "line 1: an operation outside a statement"),
        (whole(0, [operation(500, "A").replace("12345678901", "12345678902")], 500), "line 2: .* of another account"),
        (whole(0, [], 0)[:1], "has no end"),
        ([*whole(0, [], 0), "09" + " " * 118], "line 3: '09' is no record"),
        (whole(0, [operation(500, "A") + "X"], 500), "line 2: it is longer than 120"),
    ],
)
def test_a_broken_cfonb_file_says_where(records: list[str], why: str) -> None:
    refused(cfonb(*records), why)


# CODA


def test_a_coda_tells_structured_references_and_the_parts_of_a_batch() -> None:
    told = only(flat_files.coda())
    one, batch = told.entries
    assert (told.account, one.movements[0].structured_references) == ("BE68539007547034", ("090933755493",))
    assert (one.movements[0].party_name, one.movements[0].party_iban) == ("DUPONT SPRL", "BE62510007547061")
    assert one.movements[0].end_to_end_id == "E2E-1"
    assert (batch.amount, batch.detailed, [part.amount for part in batch.movements]) == (10_000, True, [4_000, 6_000])


def test_a_coda_batch_whose_parts_do_not_sum_is_refused() -> None:
    refused(flat_files.coda(last=6_001), "movement 0002: the details sum to 10001")


@pytest.mark.parametrize(
    ("why", "kind", "reason", "code"),
    [
        ("0", " ", "", None),
        ("3", " ", "", "MS02"),
        ("4", " ", "", "MS03"),
        ("2", "2", "AM04", "AM04"),
        ("3", "3", "MD06", "MD06"),
    ],
)
def test_a_coda_direct_debit_that_comes_back_says_why(why: str, kind: str, reason: str, code: str | None) -> None:
    found = movement(flat_files.coda_of(-5_000, *flat_files.coda_debit(why, kind, reason)))
    assert (found.returned, found.return_code) == (code is not None, code)
    assert (found.mandate_id, found.end_to_end_id, found.amount) == ("MANDATE-1", "E2E-1", -5_000)


def test_a_coda_total_has_parts_and_what_a_part_says_of_its_own_amount_moves_nothing() -> None:
    records = [
        flat_files.coda_movement(1, 10_000, "2", "0TOTAL"),
        flat_files.coda_movement(1, 4_000, "6", "0FA-2026-0001", detail=1),
        flat_files.coda_movement(1, 6_000, "7", "0FA-2026-0002", detail=2),
        flat_files.coda_movement(1, 6_100, "9", "0GROSS", detail=3),
        flat_files.coda_movement(1, -100, "9", "0CHARGES", detail=4),
    ]
    [total] = only(flat_files.coda_of(10_000, *records)).entries
    assert [part.amount for part in total.movements] == [4_000, 6_000]
    refused(flat_files.coda_of(10_000, *records[:2], *records[3:]), "the details sum to 4000")


def test_a_coda_whose_totals_do_not_hold_is_refused() -> None:
    refused(flat_files.coda().replace(b"0" * 9 + b"150000" + b"201126", b"0" * 9 + b"150010" + b"201126"), "record 10")
    refused(flat_files.coda().rsplit(b"\n", 1)[0], "without its last record")


# OFX


@pytest.mark.parametrize(("told", "amount"), [("+1200,50", 120_050), ("-3.5", -350), ("12", 1_200)])
def test_an_ofx_amount_has_a_comma_or_a_point(told: str, amount: int) -> None:
    found = only(ofx(ofx_entry(told)))
    assert (found.account, found.entries[0].amount) == (OURS, amount)
    assert found.entries[0].movements[0].remittance == "VIR DUPONT FA-1 & FA-2"


def test_every_ofx_entry_is_read_or_the_file_is_refused() -> None:
    assert len(only(ofx(ofx_entry("1"), ofx_entry("1", number="F2"))).entries) == 2
    refused(ofx(ofx_entry("1")).replace(b"<STMTRS>", b"").replace(b"</STMTRS>", b""), "1 entries and 0 of them")
    refused(ofx(ofx_entry("1,2,3")), "entry 1: '1,2,3' is not an amount")
    refused(ofx(ofx_entry("1", extra="<CORRECTFITID>F0")), "entry 1: it corrects an earlier file")
    refused(ofx(ofx_entry("1"))[:-80], "ends within a statement")


# BAI2


def test_a_bai2_file_is_read_with_its_balances() -> None:
    told = only(flat_files.bai2())
    assert [one.amount for one in told.entries] == [3_500, -1_000]
    assert told.entries[0].movements[0].remittance == "FA-2026-0001,DUPONT LTD"


def test_a_bai2_file_whose_counts_are_wrong_must_prove_itself_by_its_balances() -> None:
    assert only(flat_files.bai2(records=9)).booked == 2_500
    refused(flat_files.bai2(closing=12_501), "is not closing 12501")
    refused(flat_files.bai2(records=9).replace(b"010,10000,,,015,12500,,", b"010,10000,,"), "no balances prove it")
