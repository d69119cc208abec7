"""Amounts as a core system writes them, as whole minor units of a currency of ISO 4217: exactly, or not at all."""

from decimal import Context, Decimal, InvalidOperation
from typing import Final

from shared.service import Rejected

_CODES: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE "
    "CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG "
    "HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK "
    "MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE "
    "SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW "
    "ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS: Final = {code: exponent for exponent, codes in _CODES.items() for code in codes.split()}
"""How many digits the minor unit of each currency has. A currency that is not here is refused, not guessed."""

LARGEST: Final = 10**15
LONGEST: Final = 40
"""Characters of an amount: the largest one with a sign, and more digits behind the point than anybody writes."""

_EXACT: Final = Context(prec=2 * LONGEST)
"""Enough digits that nothing is ever rounded on the way."""


def minor_units(amount: Decimal | str, currency: str, field: str = "amount") -> int:
    """A decimal amount in minor units; a part of one is refused, for nobody told us how to round. Raises Rejected."""
    exponent = EXPONENTS.get(currency)
    if exponent is None:
        raise Rejected("is no currency of ISO 4217", field="currency")
    scaled = _decimal(amount, field).scaleb(exponent, _EXACT)
    if scaled != scaled.to_integral_value():
        raise Rejected(f"has more than the {exponent} decimal places of {currency}", field=field)
    return int(scaled)


def _decimal(amount: Decimal | str, field: str) -> Decimal:
    if isinstance(amount, str) and (len(amount) > LONGEST or not _is_plain(amount)):
        raise Rejected("is no decimal number", field=field)
    try:
        found = Decimal(amount)
    except InvalidOperation:
        raise Rejected("is no decimal number", field=field) from None
    if not found.is_finite() or abs(found) > LARGEST:
        raise Rejected("is too large", field=field)
    return found


def _is_plain(amount: str) -> bool:
    """Digits, a point and a sign: `Decimal` would take blanks, underscores, exponents and words as well."""
    return amount.isascii() and not set(amount) - set("+-.0123456789")
