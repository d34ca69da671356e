"""Dates and times of day, in one form each."""

import re

from slmmux.answers._pattern import pattern

__all__ = ["moment_key"]

_MONTHS = {
    name: number
    for language in (
        "january february march april may june july august september october november december",
        "jan feb mar apr may jun jul aug sep oct nov dec",
        "januar februar märz april mai juni juli august september oktober november dezember",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
        "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    )
    for number, month in enumerate(language.split(), 1)
    for name in (month, month.translate(str.maketrans("äéûçº", "aeuco")))
} | {"sept": 9}
_MONTH = rf"(?P<month>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\.?"
_WEEKDAY = r"(?:(?:on|am|den|le|il|el) )?(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,? )?"
_DAY = r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th|\.|er|º)?"
_YEAR = r"(?P<year>[0-9]{3,4})"
_DATES = [
    pattern(
        rf"{_WEEKDAY}(?:the )?{_DAY} (?:of |de |di )?{_MONTH}(?:,? (?:de |di )?{_YEAR}(?: ?г\.?)?)?", re.IGNORECASE
    ),
    pattern(rf"{_WEEKDAY}{_MONTH} (?:the )?{_DAY}(?:,? {_YEAR})?", re.IGNORECASE),
    pattern(rf"{_YEAR}([-/.])(?P<month>[0-9]{{1,2}})\2{_DAY}(?:T00:00(?::00)?)?"),
    pattern(rf"{_YEAR} ?年 ?(?P<month>[0-9]{{1,2}}) ?月 ?(?P<day>[0-9]{{1,2}}) ?日"),
    pattern(rf"{_YEAR} ?년 ?(?P<month>[0-9]{{1,2}}) ?월 ?(?P<day>[0-9]{{1,2}}) ?일"),
    pattern(rf"(?P<day>)(?:in )?{_MONTH}(?: of| de|,)? (?P<year>[0-9]{{4}})", re.IGNORECASE),
    pattern(r"(?P<day>)(?P<year>[12][0-9]{3})-(?P<month>0[1-9]|1[0-2])"),
    pattern(rf"(?P<day>[0-9]{{1,2}})\.(?P<month>[0-9]{{1,2}})\.{_YEAR}"),
]
_ERA = pattern(
    r"(?:in )?(?:(?P<before>AD|CE|BCE?|A\.D\.|B\.C\.(?:E\.)?) ?(?P<one>[0-9]{1,5})|(?P<other>[0-9]{1,5}) ?(?P<after>AD|CE|BCE?|A\.D\.|B\.C\.(?:E\.)?))",
    re.IGNORECASE,
)
# 3/15/2024 says which is the month only where the other cannot be one.
_SLASHED = pattern(rf"(?P<one>[0-9]{{1,2}})([-/])(?P<other>[0-9]{{1,2}})\2{_YEAR}")
_TIME = pattern(
    r"(?:at )?(?P<hour>[0-9]{1,2})(?:[:.h](?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?)?"
    r" ?(?P<half>[ap]\.? ?m\b\.?)?(?P<uhr> (?:uhr|o['’]clock))?(?P<part> (?:in the (?:morning|afternoon|evening)|at night))?",
    re.IGNORECASE,
)
_PAST = pattern(
    r"(?:at )?(?P<part>half|(?:a )?quarter) (?P<side>past|to) (?P<hour>[a-z]{3,6}|[0-9]{1,2})(?: ?(?P<half>[ap]\.? ?m\b\.?))?",
    re.IGNORECASE,
)
_HOURS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_NAMES = {"noon": "12:00", "midday": "12:00", "midnight": "00:00"}
_LONGEST = 40  # characters of a date or a time


def moment_key(text: str) -> str | None:
    """Return the one form of a text that is a date or a time of day and nothing else.

    Example:
        >>> moment_key("March 15, 2024"), moment_key("15 March 2024"), moment_key("3:30 p.m."), moment_key("3:30")
        ('2024-03-15', '2024-03-15', '15:30', '03:30')
    """
    text = text.strip()
    if len(text) > _LONGEST:
        return None
    return _date(text) or _time(text)


def _date(text: str) -> str | None:
    for form in _DATES:
        match = form.fullmatch(text)
        if match:
            month = match["month"].lower()
            number = _MONTHS.get(month) or int(month)
            return _iso(match["year"], number, int(match["day"])) if match["day"] else f"{match['year']}-{number:02}"
    era = _ERA.fullmatch(text)
    if era:
        before = (era["before"] or era["after"]).lower().startswith("b")
        return f"{int(era['one'] or era['other'])} {'BC' if before else 'AD'}"
    match = _SLASHED.fullmatch(text)
    if match:
        first, second = int(match["one"]), int(match["other"])
        if first > 12 or second > 12 or first == second:  # noqa: PLR2004 - months
            return _iso(match["year"], min(first, second), max(first, second))
    return None


def _iso(year: str | None, month: int, day: int) -> str | None:
    if not 1 <= month <= 12 or not 1 <= day <= 31:  # noqa: PLR2004 - months and days
        return None
    return f"{year or '-'}-{month:02}-{day:02}"


def _part_of_an_hour(past: re.Match[str]) -> str | None:
    """Return the time of half past three, or of a quarter to four."""
    word = past["hour"].lower()
    hour = int(word) if word.isdecimal() else _HOURS.index(word) + 1 if word in _HOURS else 0
    if not 1 <= hour <= 12:  # noqa: PLR2004 - the hours of half a day
        return None
    minute = 30 if past["part"].lower() == "half" else 15
    if past["side"].lower() == "to":
        hour, minute = (hour - 1 or 12), 60 - minute
    if past["half"]:
        hour = hour % 12 + (12 if past["half"][0] in "pP" else 0)
    return f"{hour:02}:{minute:02}"


def _time(text: str) -> str | None:
    if text.lower() in _NAMES:
        return _NAMES[text.lower()]
    past = _PAST.fullmatch(text)
    if past:
        return _part_of_an_hour(past)
    match = _TIME.fullmatch(text)
    if match is None or not (match["half"] or match["minute"] or match["uhr"] or match["part"]):
        return None
    if "." in text[: match.end("minute")] and not (match["half"] or match["uhr"]):
        return None  # 3.30 is a number
    hour, minute = int(match["hour"]), match["minute"] or "00"
    half = match["half"] or (match["part"] and ("a" if "morning" in match["part"].lower() else "p"))
    if half:
        if not 1 <= hour <= 12:  # noqa: PLR2004 - the hours of half a day
            return None
        hour = hour % 12 + (12 if half[0] in "pP" else 0)
    if hour > 24 or minute > "59":  # noqa: PLR2004 - the hours of a day
        return None
    seconds = f":{match['second']}" if match["second"] and match["second"] != "00" else ""
    return f"{hour:02}:{minute}{seconds}"
