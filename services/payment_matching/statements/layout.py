"""How a bank writes its tables (CSV, XLSX) for one account of ours: saved once, used for every file of that account."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

DateFormat = Literal[
    "YYYY-MM-DD", "DD/MM/YYYY", "DD.MM.YYYY", "DD-MM-YYYY", "MM/DD/YYYY", "YYYY/MM/DD", "YYYYMMDD", "DD/MM/YY",
    "DD.MM.YY",
]  # fmt: skip
FORMATS: dict[str, str] = {
    "YYYY-MM-DD": "%Y-%m-%d",
    "DD/MM/YYYY": "%d/%m/%Y",
    "DD.MM.YYYY": "%d.%m.%Y",
    "DD-MM-YYYY": "%d-%m-%Y",
    "MM/DD/YYYY": "%m/%d/%Y",
    "YYYY/MM/DD": "%Y/%m/%d",
    "YYYYMMDD": "%Y%m%d",
    "DD/MM/YY": "%d/%m/%y",
    "DD.MM.YY": "%d.%m.%y",
}
_CLEAN = r"^[^\x00-\x1f\x7f]+$"
Heading = Annotated[str, StringConstraints(min_length=1, max_length=120, strip_whitespace=True, pattern=_CLEAN)]
Mark = Annotated[str, StringConstraints(min_length=1, max_length=20, strip_whitespace=True, pattern=_CLEAN)]


class Columns(BaseModel):
    """The heading of each column, or its number from 1 on when the table has no headings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    booked_on: Heading
    value_on: Heading | None = None
    amount: Heading | None = None
    """Signed, or unsigned beside `sign`."""
    sign: Heading | None = None
    credit: Heading | None = None
    debit: Heading | None = None
    """Instead of `amount`: what came in, what went out."""
    balance: Heading | None = None
    """The balance after the entry: with it the table proves itself and moves the feed."""
    currency: Heading | None = None
    account: Heading | None = None
    """Lines of another account are refused."""
    name: Heading | None = None
    iban: Heading | None = None
    text: Annotated[tuple[Heading, ...], Field(max_length=10)] = ()
    reference: Heading | None = None
    end_to_end_id: Heading | None = None

    @model_validator(mode="after")
    def _amounts(self) -> "Columns":
        if (self.amount is None) == (self.credit is None and self.debit is None):
            raise ValueError("name either the column of the amount, or those of credit and debit")
        if self.sign is not None and self.amount is None:
            raise ValueError("a column of signs goes with a column of amounts")
        return self

    def headings(self) -> tuple[str, ...]:
        """Every heading that is named."""
        told = self.model_dump(exclude_none=True)
        return tuple(one for value in told.values() for one in (value if isinstance(value, tuple | list) else [value]))


class Layout(BaseModel):
    """How the tables of one account are read. Nothing is guessed about dates and decimals."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: Columns
    delimiter: Literal[";", ",", "\t", "|"] = ";"
    decimal: Literal[",", "."] = ","
    date_format: DateFormat = "DD/MM/YYYY"
    header_row: Annotated[int, Field(ge=0, le=100)] = 1
    """The line of the headings, from 1 on; 0 when there are none, and columns are named by their number."""
    debit_marks: Annotated[tuple[Mark, ...], Field(max_length=10)] = ("D", "-", "DBIT", "Debit", "Débit", "S", "Soll")
    """What the column of signs says of money that went out."""

    @model_validator(mode="after")
    def _numbered(self) -> "Layout":
        if self.header_row == 0 and not all(one.isascii() and one.isdigit() for one in self.columns.headings()):
            raise ValueError("without headings, columns are named by their number")
        return self


class Known(BaseModel):
    """A layout and the account it is of."""

    model_config = ConfigDict(frozen=True)

    account: str
    currency: str
    layout: Layout

    @classmethod
    def of(cls, account: str, currency: str, told: Any) -> "Known":
        """From what was saved."""
        return cls(account=account, currency=currency, layout=Layout.model_validate(told))
