"""Writes amounts, from integer minor units, and dates as people read them."""

from datetime import date

_EXPONENTS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    2: "AED AUD BRL CAD CHF CNY CZK DKK EGP EUR GBP HKD HUF IDR ILS INR KES LKR MAD MOP MXN MYR NGN NOK NZD PEN PHP "
    "PKR PLN QAR RON SAR SEK SGD THB TRY TWD UAH USD ZAR",
    3: "BHD IQD JOD KWD LYD OMR TND",
}
EXPONENTS = {code: exponent for exponent, codes in _EXPONENTS.items() for code in codes.split()}
"""How many digits the minor unit of a currency has (ISO 4217). A currency that is not here is refused, not guessed."""

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def amount_in_words(minor: int, currency: str) -> str:
    """An amount without its currency: 123456 of CNY is 1,234.56. Raises ValueError for what is none."""
    exponent = EXPONENTS.get(currency)
    if exponent is None:
        raise ValueError("a currency whose minor unit is not known")
    if minor < 0:
        raise ValueError("a negative amount")
    whole, part = divmod(minor, 10**exponent)
    return f"{whole:,}" + (f".{part:0{exponent}}" if exponent else "")


def date_in_words(day: date, language: str) -> str:
    """A date as it is written in a language."""
    if language == "zh-CN":
        return f"{day.year}年{day.month}月{day.day}日"
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
