"""Money: integer minor units and an ISO 4217 code. Never a float, never two currencies in one sum.

On every wire an amount is `{"amount": "1250.00", "currency": "EUR"}`: ASCII digits with the currency's own
number of decimals (ISO 4217:2015 list one; CLDR rounds thirteen of them otherwise and is for display only).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from libs.common.errors import CurrencyMismatch, InvalidAmount, UnknownCurrency

_TWO = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC "
    "CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR "
    "JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD "
    "NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN "
    "SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
)
_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
EXPONENTS = (
    dict.fromkeys(_TWO.split(), 2)
    | dict.fromkeys(_NONE.split(), 0)
    | dict.fromkeys(_THREE.split(), 3)
    | dict.fromkeys(("CLF", "UYW"), 4)
)
LIMIT = 10**15  # minor units; far inside a bigint, far above any invoice

_AMOUNT = re.compile(r"(-?)(0|[1-9][0-9]{0,14})(?:\.([0-9]{1,4}))?", re.ASCII)


def exponent(currency: str) -> int:
    """Decimals of a currency. Raises UnknownCurrency."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise UnknownCurrency(f"{currency!r} is not an ISO 4217 code in use.", field="currency") from None


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units: Money(125000, "EUR") is 1,250.00 €."""

    minor: int
    currency: str

    @classmethod
    def parse(cls, amount: str, currency: str) -> "Money":
        """From the wire's decimal string. Raises InvalidAmount or UnknownCurrency."""
        places = exponent(currency)
        found = _AMOUNT.fullmatch(amount)
        if found is None:
            raise InvalidAmount(f"{amount[:40]!r} is not a plain decimal number.", field="amount")
        sign, whole, fraction = found[1], found[2], found[3] or ""
        if len(fraction.rstrip("0")) > places:
            raise InvalidAmount(f"{amount!r} has more decimals than the {places} of {currency}.", field="amount")
        minor = int(whole + fraction[:places].ljust(places, "0"))
        if minor >= LIMIT:
            raise InvalidAmount(f"{amount!r} is beyond what is taken.", field="amount")
        return cls(-minor if sign else minor, currency)

    @classmethod
    def zero(cls, currency: str) -> "Money":
        return cls(0, currency)

    def decimal(self) -> str:
        """The wire's string: all decimals of the currency, a point, no grouping."""
        places = exponent(self.currency)
        digits = str(abs(self.minor)).rjust(places + 1, "0")
        text = f"{digits[:-places]}.{digits[-places:]}" if places else digits
        return f"-{text}" if self.minor < 0 else text

    def wire(self) -> dict[str, str]:
        return {"amount": self.decimal(), "currency": self.currency}

    def _same(self, other: "Money") -> int:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} cannot be added or compared.")
        return other.minor

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        return self.minor >= self._same(other)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __str__(self) -> str:
        return f"{self.decimal()} {self.currency}"


def total(amounts: Iterable[Money], currency: str) -> Money:
    """The sum of amounts that are all in one currency; zero when there are none."""
    result = Money.zero(currency)
    for amount in amounts:
        result = result + amount
    return result


def totals(amounts: Iterable[Money]) -> dict[str, Money]:
    """One sum per currency: currencies are never added up."""
    sums: dict[str, Money] = {}
    for amount in amounts:
        sums[amount.currency] = sums.get(amount.currency, Money.zero(amount.currency)) + amount
    return sums


def from_wire(value: Any) -> Money:
    """Read `{"amount", "currency"}`. Raises InvalidAmount or UnknownCurrency, naming the field."""
    if isinstance(value, Money):
        return value
    if not isinstance(value, dict) or set(value) != {"amount", "currency"}:
        raise InvalidAmount('Expected {"amount": "1250.00", "currency": "EUR"}.', field="amount")
    amount, currency = value["amount"], value["currency"]
    if not isinstance(amount, str):
        raise InvalidAmount("The amount must be a string: a JSON number may be rounded on its way.", field="amount")
    if not isinstance(currency, str):
        raise UnknownCurrency(field="currency")
    return Money.parse(amount, currency)
