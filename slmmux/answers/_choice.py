r"""The letter a reply chooses."""

import re
from collections.abc import Iterator
from itertools import islice

from slmmux.answers._json import answer_field
from slmmux.answers._pattern import pattern
from slmmux.answers._replies.reply import reply_of
from slmmux.answers._words.announced import announced
from slmmux.answers._words.frames import framed
from slmmux.answers._words.letter import announced_letter, rejects, says_several
from slmmux.answers._words.options import Options
from slmmux.answers._words.scripts import plain

__all__ = ["choice", "choice_in"]

_VERDICT = pattern(
    r"""
    (?<![\w'’]) [(\[*_]{0,4}+ (?P<subject> [A-Z] ) [)\]*_]{0,4}+ \ (?i: (?:is|seems|must\ be|would\ be)
        (?:\ (?:the|most|clearly|therefore|thus|indeed|likely|only|also|option|our|my)){0,4}
        \ (?:correct|right|best|answer|choice|better(?!\ than)|(?<=most\ )(?:plausible|likely|reasonable|suitable|accurate|fitting|logical|probable))\b )
  | (?: (?<![\w'’]) (?i: option | choice | statement | answer | only | so | hence | thus | therefore ),? \  | [,;] \  | ^ [ \t*_]{0,4} )
        [(\[*_]{0,4}+ (?P<true> [A-J] ) [)\]*_]{0,4}+ \ is \ (?:clearly\ |therefore\ |the\ only\ (?:one\ )?)?true\b
  | \b(?i: choose|chose|pick|select|say|go\ with|going\ with|opt\ for | conclusion:? | wähle | nehme | choisis | choisirais | opte\ pour | elijo
        | escojo | selecciono | escolho | scelgo | выбираю | kies | leaves | leaving | left\ with
        | (?:that|remaining)\ (?:one\ )?is )
        (?:\ (?i:us|me|with|only|the|option|choice|answer|letter|opción|opção|opzione|alternativa|вариант|la|el|a)(?=\ )){0,4}+
        \ [(\[*_"]*+ (?P<object> [A-Z] ) \b (?! ['’]\w | (?<=[AI])\ [a-z] )
  | (?<![A-Za-z0-9_'’]) [(\[*_]{0,4}+ (?P<foreign> [A-Z] ) [)\]*_]{0,4}+ (?:
        \ (?i: ist|está|est|es|é|è|это|[-–—] ) \ (?i: (?:die|das|la|le|el|a|o|il) \ )?+ (?: l['’] )?+ (?i: alternativa\ | opción\ | opção\ | option\ | opzione\ )?+
            (?i: richtig|korrekt|bonne|juste|correcte?\b|correct[ao]|réponse|respuesta|corret[ao]|resposta|cert[ao]|corrett[ao]|giust[ao]|risposta|правил )
      | \ (?i: верен | верн\w{1,3} | правил\w{0,6} ) \b
      | \ ?(?: [がは] \ ?(?: 正解 | 正しい | 答え ) | [은는이가] \ ?(?: 정답 | 맞 | 옳 ) | (?: 是|为 )? \ ?(?: 正确 | 正確 | 对的 ) ) )
  | \b(?i:only)\ (?i: (?: option | choice | answer | statement )\ )?+ [(\[*_]{0,4}+ (?P<alone> [A-Z] ) [)\]*_]{0,4}+
        \ (?i: makes | fits | works | matches | satisfies | applies | holds | remains | correctly ) \b
  | (?: (?<=[.!?;]\ ) | ^ ) [(\[*_]{0,4}+ (?P<does> [A-Z] ) [)\]*_]{0,4}+ \ does [.!\s]*+ \Z
  | (?<![\w'’]) [(\[*_]{0,4}+ (?P<left> [A-Z] ) [)\]*_]{0,4}+ \ (?i: remains | is\ (?:all\ that['’]s\ )?left | survives ) \b
  | \b(?i: richtig|korrekt|correcte?|correct[ao]|certa|corretta)\ (?i: ist|est|es|é|è )\ (?i: (?:die|la|a)\ )?+ (?i: antwort|option|aussage|réponse|respuesta|opción|resposta|alternativa|risposta|opzione )\ [(\[*_"]{0,4}+ (?P<ahead> [A-Z] ) (?!\w)
  | (?: \b(?i: but | sondern | sino | mais | bensì | ma )\ (?: (?:es|est|is|c['’]est)\ )?+ | 而是\ ? | ではなく、?\ ? | 아니라,?\ )
        [(\[*_"]{0,4}+ (?P<instead> [A-Z] ) (?! [\w'’] (?<![\u3040-\u9fff\uac00-\ud7af]) | \ [a-z] )
  | (?<![A-Za-z0-9_'’]) [(\[*_]{0,4}+ (?P<picked> [A-Z] ) [)\]*_]{0,4}+ \ ? (?: [をがに] \ ?(?:選|選択|なり) | [을를]\ ?(?:선택|고르|고른|고릅) )
  | \b(?: (?i: think|guess|believe|is|be|it's|es|est|ist|option|choice|letter|hence|thus|therefore|so),?\  | [:：]\ ? )
        (?P<last> [A-HJ-Z] ) [.!*_`]*+ \Z
    """,
    re.VERBOSE | re.MULTILINE,
)
_MARKED = pattern(
    r"[(\[][*_]*+(?P<bracketed>[A-Z])[*_]*+[)\]](?![\w(\[^])|\*\*\(?(?P<bold>[A-Z])[.)]?\*\*|\"(?P<quoted>[A-Z])\""
)
# What a bracket with a choice stands after. After a noun it holds its symbol, the radius (R), or the label of a part.
_LEADS = pattern(
    r"(?:^|[\[(.,:;!?*_\"'>→=–—-]|\b(?:is|are|was|be|so|or|to|but|only|with|than|thus|hence|therefore|option|choice|answer"
    r"|letter|pick|choose|chose|select|say|guess|fits?|leaves?|namely|really|best|likely|probably|for))[\s*_]*+\Z",
    re.IGNORECASE | re.MULTILINE,
)
# After a letter that is weighed and not chosen: (A) is too small.
_WEIGHED = pattern(
    r"[\W_]{0,4}\s(?:is|was|are|has|have|does|do|would|can|cannot|could|seems|looks|says|states|gives|denotes|stands"
    r"|represents|refers|means|marks|describes|claims)\b"
)
_DISCUSSED = pattern(
    r"\W*+(?:(?:option|choice|statement|answer)\s\W*+)?(?-i:[A-Z])[^\w\s]*+\s(?:is|was|are|has|does|would|can|cannot|could|seems"
    r"|looks|says|states|gives|denotes|stands|represents|refers|means|describes|claims)\b",
    re.IGNORECASE,
)
_NEGATION = pattern(
    r"\b(?:not|cannot|never|neither|nor|eliminat\w*|reject\w*|rul(?:e|es|ed|ing)\ out|exclud\w*|discard\w*|dismiss\w*"
    r"|wrong|incorrect|false|except|unlike|distractors?|invalid|nicht|keine?|falsch|pas|fausse?|não|incorret[ao]|incorrect[ao]|неверн\w*)\b(?!\s+(?:statement|option|answer|choice|one|pair|claim)\b)|n['’]t\b|\bno\s(?:es|son|puede)\b|\bnon\s[èp]|\bне\b|不是|不对|錯|错",
    re.IGNORECASE,
)
_CLAUSE = pattern(
    r"[.;!?\n](?=\s|$)|\b(?:so|but|hence|thus|therefore|leaving|leaves|making|instead|rather|then|because|since|only|sondern|sino|mais|mas|bensì)\b|而是|,\s+(?=[A-Z]\b|we\b|which\b|it\b|this\b)",
    re.IGNORECASE,
)
_SENTENCE_ENDS = pattern(r"[.!?]\s+(?=[A-Z0-9])")
_MOST_BEFORE = 20  # characters that are looked at for what a bracket stands after
# Many letters are spoken of at once: none of A, B or C. And others choose: many people would pick B.
_OF_SEVERAL = pattern(
    r"\b(?i:(?:none|neither|not\sany)\sof|neither)\s(?i:(?:options?|choices?|statements?)\s)?(?:[(\[*]{0,3}[A-Z][)\]*]{0,3}(?:,|/|\sand|\sor|\snor|,\sand|,\sor)?\s){1,8}[(\[*]{0,3}\Z"
)
_OF_OTHERS = pattern(
    r"\b(?:people|students|others|many|some|most|they|learners|beginners)\s(?:(?:would|might|may|often|could|tend\sto|incorrectly"
    r"|mistakenly|wrongly|will|also)\s){0,3}(?:pick|choose|chose|select|say|think|guess|believe|go\swith|opt\sfor)\s[^.;\n]{0,20}\Z",
    re.IGNORECASE,
)
_CLAUSE_CHARACTERS = 120  # before a letter, in which it can be rejected
_NAMED_BEFORE = pattern(r"[\s*_]*+(?:(?!is\b|are\b)[^\s(]{1,30} ){1,4}+[*_]*+\((?P<letter>[A-Z])\)[\s*_.]*+")
_QUOTED = pattern(
    r"""(?<=[^\s:])[ ]++(?:"[^"\n]*?\s[^"\n]*+"|“[^“”\n]*?\s[^“”\n]*+”|'[^'\n]*?\s[^'\n]*+'(?!\w)|`[^`\n]*?\s[^`\n]*+`)"""
)
_LIST_LABEL = pattern(r"^[ \t*_>-]{0,8}[(\[]?([A-Za-z])[)\].:][*_]{0,3}[ \t]++(?=\S)", re.MULTILINE)
_NAMES_A_LETTER = pattern(r"[\s*_]*+(?:option|choice|letter)\s", re.IGNORECASE)  # choice c
_ROMAN = pattern(r"^[ \t*_>-]{0,8}[(\[]?ii[)\].:][*_]{0,3}[ \t]++\S", re.MULTILINE)
# Letters in brackets one after the other, of which none is chosen: the candidates are (A), (B) and
_ROW = pattern(r"[(\[][A-Z][)\]](?:(?:,| and| or| &|/)*+ ?[(\[][A-Z][)\]])++(?!\s(?!and|or)[a-z])")
_LAST_OF_ROW = pattern(r"(?:,|;|\band|\bor)\s?[(\[](?P<letter>[A-Z])[)\]]\s*\Z")
_NEXT_LABEL = pattern(r"\n[ \t*_>-]{0,8}[(\[]?(?P<letter>[A-Z])[)\].:]?\s*\Z")
_LABELLED = pattern(r"[(\[](?P<letter>[A-Z])[)\]] (?=[^\W_])(?!(?:is|was|are|because|since|as)\b)")
_MOST_MARKED = 50  # letters, the last ones, of which each is looked at with its clause


def choice(text: str) -> str | None:
    r"""Return the letter a reply chooses, upper-case; any of A to Z, no list of options needed.

    The last announced one ("Answer: B", "the answer is (c)", `##Answer: B##`, a box); else the last verdict ("B is
    correct", "I choose B", a final "so it must be B."); else the letter that the reply or its last line starts with
    ("B. Paris"); else the last in brackets or bold. Options listed again are no choice, but where they are, an
    announced option's own text is its letter. A letter that is rejected, weighed, quoted, the symbol of a quantity or
    the label of a part is none. Where the question shows its options, no other letter is a choice (see `reader`).

    | reply | read | because |
    |---|---|---|
    | `B`, `b`, `(B)`, `**B**`, `B.`, `B) Paris`, `(B) Paris` | B | the whole reply |
    | `Answer: B`, `**Answer:** (B)`, `##Answer: B##`, `\boxed{\text{B}}` | B | announced |
    | `(A) is too small, so (B).` | B | the last in brackets |
    | `The answer is not B but C.` | C | rejected, chosen |
    | `The answer depends ...` | None | no letter stands alone |
    | `A good question`, `I think so` | None | words, not letters |
    | `The radius (R) is 3 cm.`, `Part (A): ...` | None | a symbol, a label |
    | `A) Oslo B) Rome. Answer: Rome` | B | the text of one option listed, compared as by `text` |
    | `Answer: Rome` | None | no list to look it up in |
    | `Answer: A or B`, `(A, C)`, `Answer: J. R. R. Tolkien`, `Answer: C++` | None | not one letter |

    Example:
        >>> choice("The answer is (c)."), choice("The answer depends on B.")
        ('C', None)
    """
    return choice_in(reply_of(text))


def choice_in(reply: str, question: str = "") -> str | None:
    """Return the letter of a reply that is already one turn without reasoning; see `choice`."""
    options = Options(plain(question))
    field = answer_field(reply)
    letter = (field and _letter(plain(field), options, question)) or _letter(plain(reply), options, question)
    return None if options.letters and letter not in options.letters else letter


def _named_in_a_sentence(text: str, options: Options, question: str) -> str | None:
    """Return the letter of the option that a sentence names which repeats the question: The lightest is helium."""
    addition = framed(text, question[: options.start]) if options.letters and not _NEGATION.search(text) else None
    return options.letter_of(addition) if addition else None


def _named_alone(text: str, options: Options) -> str | None:
    """Return the letter of the option that a line, or its last sentence, is."""
    return options.letter_of(text) or options.letter_of(_SENTENCE_ENDS.split(text.rstrip())[-1])


def _letter(text: str, options: Options, question: str) -> str | None:
    reply_options: Options | None = None
    for stretch in announced(text):
        rejected, instead = rejects(stretch)
        if rejected and not instead:
            continue
        letter = announced_letter(instead or stretch, sure=False) or _named_before(stretch)
        if letter and options.letters and letter not in options.letters:
            continue
        if letter or says_several(stretch):
            return letter
        reply_options = Options(text) if reply_options is None else reply_options
        letter = reply_options.letter_of(stretch) or options.letter_of(stretch)
        if letter:
            return letter
    bare = _QUOTED.sub(" ", text)
    letter = _last(bare, _VERDICT, options.letters)
    if letter:
        return letter
    if says_several(bare.strip().rsplit("\n", 1)[-1]):
        return None
    labels: list[str] = _LIST_LABEL.findall(bare)
    if len(set(labels)) > 1 or _ROMAN.search(bare):
        bare = _LIST_LABEL.sub("", bare)
        last = _NEXT_LABEL.search(bare)
        if last and ord(last["letter"]) == ord((labels or ["i"])[-1]) + 1:  # of a list that was cut off
            bare = bare[: last.start()]
    return (
        (None if _only_lists(bare) else _at_the_start(bare, options))
        or _last(_unlisted(bare), _MARKED, options.letters)
        or _with_its_text(bare, options)
        or _named_before(bare)
        or ("\n" not in text and (_named_alone(text, options) or _named_in_a_sentence(text, options, question)))
        or None
    )


def _only_lists(text: str) -> bool:
    """Return whether a line begins with a list of three options or more: (A) red, (B) green, (C) blue."""
    letters = "".join(label["letter"] for label in islice(_LABELLED.finditer(text), _MOST_MARKED))
    return len(letters) >= len("ABC") and "ABCDEFGHIJKLMNOPQRSTUVWXYZ".startswith(letters) and text.startswith("(A)")


def _with_its_text(text: str, options: Options) -> str | None:
    """Return the last letter in brackets that stands beside the text of its own option in the question."""
    for marked in reversed(list(_MARKED.finditer(text))[-_MOST_MARKED:] if options.letters else []):
        letter = marked["bracketed"]
        beside = letter and (
            letter == options.letter_of(text[marked.end() :].split("\n", 1)[0])
            or options.ends_in(text[: marked.start()], letter)  # It is Earth (D).
        )
        if beside and not _rejected(text, marked.start()):
            return letter
    return None


def _unlisted(text: str) -> str:
    """Return a text without the labels of options that it lists in a line: the options are (A) red, (B) blue."""
    letters = {label["letter"] for label in _LABELLED.finditer(text)}
    in_a_row = {letter for letter in letters if {chr(ord(letter) - 1), chr(ord(letter) + 1)} & letters}
    last = _LAST_OF_ROW.search(text, max(len(text) - _MOST_BEFORE, 0))
    if last and chr(ord(last["letter"]) - 1) in in_a_row:  # of a list that was cut off
        text = text[: last.start()]
    text = _ROW.sub(" ", text)
    return _LABELLED.sub(lambda label: " " if label["letter"] in in_a_row else label[0], text)


def _named_before(text: str) -> str | None:
    """Return the letter in brackets that a short text ends in: Lisbon (C)."""
    ending = _NAMED_BEFORE.fullmatch(text.rstrip())
    return ending["letter"] if ending and not _rejected(text, ending.start("letter")) else None


def _last(text: str, which: "re.Pattern[str]", options: set[str]) -> str | None:
    """Return the last letter found that is neither rejected nor, where it is only marked, weighed."""
    candidates = list(which.finditer(text))[-_MOST_MARKED:]
    for mark in reversed(candidates):
        letter = mark[mark.lastgroup or 0]
        if which is _MARKED and (_WEIGHED.match(text, mark.end()) or _labels(text, mark)):
            continue
        if not _rejected(text, mark.start(mark.lastgroup or 0)) and (not options or letter in options):
            return letter
    return None


def _labels(text: str, marked: re.Match[str]) -> bool:
    """Return whether a letter in brackets belongs to the noun before it: the radius (R), figure (C)."""
    begin = max(marked.start() - _MOST_BEFORE, 0)
    return bool(marked["bracketed"]) and begin < marked.start() and not _LEADS.search(text, begin, marked.start())


def _rejected(text: str, start: int) -> bool:
    """Return whether the clause before a letter rejects it: it cannot be (B); eliminated: (A), (C)."""
    begin = max(start - _CLAUSE_CHARACTERS, 0)
    for end in _CLAUSE.finditer(text, begin, start + 1):  # the letter itself can tell that one begins
        begin = end.end()
    return (
        _NEGATION.search(text, begin, start) is not None
        or _OF_SEVERAL.search(text, max(start - _CLAUSE_CHARACTERS, 0), start) is not None
        or _OF_OTHERS.search(text, begin, start) is not None
    )


def _at_the_start(text: str, options: Options) -> str | None:
    for start in _starts(text):
        letter = (
            None
            if _DISCUSSED.match(start) or rejects(start)[0]
            else announced_letter(start, sure=len(start.split()) > 1 and not _NAMES_A_LETTER.match(start))
        )
        if letter and (not options.letters or letter in options.letters):
            return letter
    return None


def _starts(text: str) -> Iterator[str]:
    lines = text.strip().split("\n")
    yield text
    yield lines[0]
    yield lines[-1]
