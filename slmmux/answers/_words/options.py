r"""The options of a multiple choice, as a question or a reply lists them, and the letter of one that is named."""

import re
from itertools import product

from slmmux.answers._mathematics.latex import undress, untext
from slmmux.answers._pattern import pattern
from slmmux.answers._text import text_key

__all__ = ["Options"]

# An option that the reply lists, wherever in a line: (A) Paris, B) Rome, C: Oslo; "D. Bern" only at the start of one.
_LABEL = pattern(
    r"""
    (?: (?<! [\w()\[\].'’] ) (?:
            [(\[] [*_]{0,3} (?P<bracketed> [A-Za-z] ) [*_]{0,3} [)\]] [:.]?
          | (?P<closed> [A-Za-z] ) [*_]{0,3} \)
          | (?P<colon> [A-Z] ) [*_]{0,3} :
        )
      | ^ [ \t*_>-]{0,8} (?P<dotted> [A-Za-z] ) [*_]{0,3} \.
    ) [*_]{0,3} [ \t]++ (?=\S)
    """,
    re.VERBOSE | re.MULTILINE,
)
# Where an option's text may end before its line does: Rome. It ..., Rome: it ..., Rome, because ...
_GOES_ON = pattern(r"[.:;](?=\s)|\s(?:\.\.|…)|</|\s[-–—]\s(?=[A-Za-z])|,?\s(?:because|since|as|which)\b")
_MOST_CHARACTERS = 200  # of an option's text that are compared
_LONGEST_OPTION = 150  # characters: what follows the last label of a line is more than an option then
_MOST_OPTIONS = 100  # the last ones: all letters, each listed several times
_AROUND = " \t*_#$\"'“”’,;/|})]"


Letters = dict[str, set[str]]


class Options:
    """The options that a text lists.

    A letter counts where its neighbour in the alphabet is listed too: of `Q:` and `A:`, and of `J. Doe`, none does.

    Args:
        text: A question, or a reply that lists them again.

    Attributes:
        letters: The letters listed.
        start: Where the first of them stands.

    Example:
        >>> options = Options("Where? A) Oslo B) Rome")
        >>> sorted(options.letters), options.letter_of("Rome."), options.letter_of("Paris")
        (['A', 'B'], 'B', None)
    """

    def __init__(self, text: str) -> None:
        labels = _without_parts(list(_LABEL.finditer(text))[-_MOST_OPTIONS:], len(text))
        listed_letters = {label[label.lastgroup or 0].upper() for label in labels}
        self.letters: set[str] = set()
        self.start = len(text)
        self._by_text: Letters = {}
        self._by_beginning: Letters = {}
        ends = [label.start() for label in labels[1:]] + [len(text)]
        for label, following in zip(labels, ends, strict=False):
            letter = label[label.lastgroup or 0].upper()
            if chr(ord(letter) - 1) in listed_letters or chr(ord(letter) + 1) in listed_letters:
                self.letters.add(letter)
                self.start = min(self.start, label.start())
                end = min(following, label.end() + _MOST_CHARACTERS)
                keys = _keys(text[label.end() : end].split("\n", 1)[0])
                for by_text, key in zip((self._by_text, self._by_beginning), keys, strict=True):
                    by_text.setdefault(key, set()).add(letter)

    def letter_of(self, stretch: str) -> str | None:
        """Return the letter of the one option whose text a stretch is, or begins with."""
        for key, letters in product(
            filter(None, _keys(stretch[:_MOST_CHARACTERS])), (self._by_text, self._by_beginning)
        ):
            if key in letters:
                return min(letters[key]) if len(letters[key]) == 1 else None
        return None

    def ends_in(self, text: str, letter: str) -> bool:
        """Return whether a text ends in what the option of a letter says."""
        last_line = text.rstrip(_AROUND + "(").rsplit("\n", 1)[-1]
        end = text_key(last_line[-_MOST_CHARACTERS:])
        return any(
            key and letter in letters and (end == key or end.endswith(" " + key))
            for key, letters in self._by_text.items()
        )


def _without_parts(labels: list[re.Match[str]], length: int) -> list[re.Match[str]]:
    """Return labels without those of a question's parts: (a) Find the mass. (b) Find the speed, ...

    Small letters in a line are its parts where options with capital letters stand beside them, or where what follows
    the last one is too long for an option.
    """
    capital = [label for label in labels if label[label.lastgroup or 0].isupper()]
    if len(capital) > 1:
        return capital
    in_a_line = labels and not capital and not any(label["dotted"] for label in labels)
    return [] if in_a_line and length - labels[-1].end() > _LONGEST_OPTION else labels


def _keys(text: str) -> tuple[str, str]:
    """Return what an option's text is compared by: all of it, and what stands before it is explained."""
    parts = text, _GOES_ON.split(text, maxsplit=1)[0]
    all_of_it, beginning = (text_key(untext(undress(part)).strip(_AROUND).rstrip(_AROUND + ".!")) for part in parts)
    return all_of_it, beginning
