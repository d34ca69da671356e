"""The cookbook's questions: six kinds, 56 each, at which small models differ; written for this, each with its answer.

    python cookbook/data/questions.py       # writes questions.jsonl beside it, the same to the byte every time

Capitals, opposites and facts are known by heart and stand here. Sums, programs and sequences are drawn from templates,
easy ones and hard ones in turn, and their answers are computed. Every answer is a number or a word or two.
"""

import contextlib
import io
import itertools
import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

QUESTIONS = Path(__file__).with_suffix(".jsonl")
EACH = 56

# Well known and little known in turn, so that a part of the file is as hard as the whole.
CAPITALS = (
    ("France", "Paris"),
    ("Uganda", "Kampala"),
    ("Germany", "Berlin"),
    ("Slovenia", "Ljubljana"),
    ("Italy", "Rome"),
    ("Botswana", "Gaborone"),
    ("Spain", "Madrid"),
    ("Laos", "Vientiane"),
    ("Japan", "Tokyo"),
    ("Zambia", "Lusaka"),
    ("Russia", "Moscow"),
    ("Ecuador", "Quito"),
    ("Greece", "Athens"),
    ("Bhutan", "Thimphu"),
    ("Portugal", "Lisbon"),
    ("Mozambique", "Maputo"),
    ("Sweden", "Stockholm"),
    ("Albania", "Tirana"),
    ("Norway", "Oslo"),
    ("Namibia", "Windhoek"),
    ("Finland", "Helsinki"),
    ("Oman", "Muscat"),
    ("Poland", "Warsaw"),
    ("Rwanda", "Kigali"),
    ("Austria", "Vienna"),
    ("Nicaragua", "Managua"),
    ("Ireland", "Dublin"),
    ("Fiji", "Suva"),
    ("Canada", "Ottawa"),
    ("Liberia", "Monrovia"),
    ("Australia", "Canberra"),
    ("Slovakia", "Bratislava"),
    ("Egypt", "Cairo"),
    ("Armenia", "Yerevan"),
    ("Cuba", "Havana"),
    ("Suriname", "Paramaribo"),
    ("Peru", "Lima"),
    ("Mali", "Bamako"),
    ("Turkey", "Ankara"),
    ("Latvia", "Riga"),
    ("Kenya", "Nairobi"),
    ("Uruguay", "Montevideo"),
    ("Morocco", "Rabat"),
    ("Estonia", "Tallinn"),
    ("Iraq", "Baghdad"),
    ("Sierra Leone", "Freetown"),
    ("Hungary", "Budapest"),
    ("Belize", "Belmopan"),
    ("Jordan", "Amman"),
    ("Niger", "Niamey"),
    ("Croatia", "Zagreb"),
    ("Malta", "Valletta"),
    ("Jamaica", "Kingston"),
    ("Angola", "Luanda"),
    ("New Zealand", "Wellington"),
    ("Zimbabwe", "Harare"),
)

# Only words whose opposite is one word that dictionaries agree on: no sharp (blunt, dull), no sweet (sour, bitter).
OPPOSITES = (
    ("hot", "cold"),
    ("nadir", "zenith"),
    ("up", "down"),
    ("concave", "convex"),
    ("left", "right"),
    ("maximum", "minimum"),
    ("north", "south"),
    ("diurnal", "nocturnal"),
    ("east", "west"),
    ("transparent", "opaque"),
    ("early", "late"),
    ("optimist", "pessimist"),
    ("full", "empty"),
    ("vertical", "horizontal"),
    ("heavy", "light"),
    ("plural", "singular"),
    ("high", "low"),
    ("ascend", "descend"),
    ("inside", "outside"),
    ("import", "export"),
    ("rich", "poor"),
    ("include", "exclude"),
    ("win", "lose"),
    ("positive", "negative"),
    ("black", "white"),
    ("endothermic", "exothermic"),
    ("alive", "dead"),
    ("profit", "loss"),
    ("asleep", "awake"),
    ("ancient", "modern"),
    ("tall", "short"),
    ("predator", "prey"),
    ("wide", "narrow"),
    ("prefix", "suffix"),
    ("wet", "dry"),
    ("superior", "inferior"),
    ("fast", "slow"),
    ("guilty", "innocent"),
    ("strong", "weak"),
    ("temporary", "permanent"),
    ("buy", "sell"),
    ("interior", "exterior"),
    ("love", "hate"),
    ("majority", "minority"),
    ("male", "female"),
    ("victory", "defeat"),
    ("before", "after"),
    ("absent", "present"),
    ("always", "never"),
    ("barren", "fertile"),
    ("best", "worst"),
    ("lend", "borrow"),
    ("push", "pull"),
    ("synonym", "antonym"),
    ("deep", "shallow"),
    ("creditor", "debtor"),
)

FACTS = (
    ("Is a whale a mammal, yes or no?", "yes"),
    ("Which day comes after Tuesday?", "Wednesday"),
    ("How many legs does a spider have?", "8"),
    ("What colour do you get when you mix blue and yellow paint?", "green"),
    ("Is a bat a bird, yes or no?", "no"),
    ("Which month comes before August?", "July"),
    ("How many days are there in a leap year?", "366"),
    ("What is the young of a cow called?", "calf"),
    ("Is 17 a prime number, yes or no?", "yes"),
    ("If today is Saturday, which day of the week will it be in three days?", "Tuesday"),
    ("How many hours are there in two days?", "48"),
    ("Which chemical element has the symbol Na?", "sodium"),
    ("Is a spider an insect, yes or no?", "no"),
    ("What is the shortest month of the year?", "February"),
    ("How many letters are there in the English alphabet?", "26"),
    ("Which planet is closest to the Sun?", "Mercury"),
    ("Is the Sun a star, yes or no?", "yes"),
    ("Which day comes before Monday?", "Sunday"),
    ("How many degrees are there in a right angle?", "90"),
    ("What is the past tense of the verb teach?", "taught"),
    ("Can an ostrich fly, yes or no?", "no"),
    ("What is the ninth month of the year?", "September"),
    ("How many keys does a standard piano have?", "88"),
    ("What is the larva of a frog called?", "tadpole"),
    ("Is a penguin a bird, yes or no?", "yes"),
    ("If today is Wednesday, which day of the week was it two days ago?", "Monday"),
    ("How many seconds are there in three minutes?", "180"),
    ("In which country is the city of Milan?", "Italy"),
    ("Is Africa a country, yes or no?", "no"),
    ("Which month comes before January?", "December"),
    ("How many days are there in November?", "30"),
    ("What is the plural of the word goose?", "geese"),
    ("Is iron a metal, yes or no?", "yes"),
    ("Which day comes two days after Friday?", "Sunday"),
    ("How many metres are there in a kilometre?", "1000"),
    ("Which metal is liquid at room temperature?", "mercury"),
    ("Does the Sun rise in the west, yes or no?", "no"),
    ("Which month comes after April?", "May"),
    ("How many sides does an octagon have?", "8"),
    ("What colour is a ruby?", "red"),
    ("Does ice float on water, yes or no?", "yes"),
    ("If today is Thursday, which day of the week was it yesterday?", "Wednesday"),
    ("How many years are there in a century?", "100"),
    ("What is the largest planet of the solar system?", "Jupiter"),
    ("Is a kilometre longer than a mile, yes or no?", "no"),
    ("What is the fourth month of the year?", "April"),
    ("How many strings does a violin have?", "4"),
    ("What is the young of a goose called?", "gosling"),
    ("Is a kilogram heavier than a pound, yes or no?", "yes"),
    ("Which month comes two months after October?", "December"),
    ("Which gas in the air do people need to breathe?", "oxygen"),
    ("Is a shark a mammal, yes or no?", "no"),
    ("Which language do most people in Brazil speak?", "Portuguese"),
    ("Is a snake a reptile, yes or no?", "yes"),
    ("What colour do you get when you mix red and white paint?", "pink"),
    ("Is 51 a prime number, yes or no?", "no"),
)

# A # stands for a digit from 2 on, ## for a number of two digits and so on, @ for a word.
SUMS = (
    "# + #",
    "## + ##",
    "# * #",
    "# * # + #",
    "## - #",
    "(# + #) * #",
    "#0 + #0",
    "## - ##",
    "# + # + #",
    "## * #",
    "1# + #",
    "# * # - # * #",
    "#00 + ##",
    "## + ## + ##",
)

PROGRAMS = (
    "print(# + #)",
    "x = #\nx += #\nprint(x * #)",
    'print("@")',
    'print(len("@"))',
    "x = ##\ny = ##\nprint(y)",
    "print(sum(range(#)))",
    'words = ["@", "@", "@"]\nprint(words[0])',
    "print(## // #)",
    "print(max(##, ##, ##))",
    'print("@" if ## > ## else "@")',
    "print([##, ##, ##, ##][-1])",
    'print("@"[:3])',
    'print("@" + "@")',
    "a, b = ##, #\na, b = b, a\nprint(a)",
    "x = ##\nprint(x - #)",
    "print(str(##) + str(#))",
    'words = ["@", "@"]\nwords.append("@")\nprint(len(words) + #)',
    "total = #\nfor i in range(#): total += #\nprint(total)",
)
WORDS: tuple[str, ...] = ("apple", "bread", "bridge", "candle", "castle", "cloud", "desert", "elephant", "fish")
WORDS += ("forest", "garden", "honey", "island", "kitchen", "lemon", "mountain", "orange", "river", "table", "tree")

Rule = Callable[[int, int, int], int]
NEXT: tuple[Rule, ...] = (  # the i-th number, from two digits a and b
    lambda a, _, i: a + i,
    lambda a, b, i: a + b * i,
    lambda a, _, i: 10 * (a + i),
    lambda a, _, i: a * 2**i,
    lambda a, _, i: a * (i + 1),
    lambda a, b, i: 10 * a - b * i,
    lambda a, _, i: 2 * (a + i),
    lambda a, _, i: (a + i) ** 2,
    lambda a, _, i: 20 + a - i,
    lambda a, b, i: a + b * i * (i + 1) // 2,
    lambda a, b, i: 100 * a + 5 * b * i,
)
Figure = Callable[[list[int]], int]
LISTS: tuple[tuple[str, Figure], ...] = (
    ("What is the largest of these numbers", max),
    ("How many of these numbers are even", lambda numbers: sum(n % 2 == 0 for n in numbers)),
    ("What is the smallest of these numbers", min),
    ("What is the second largest of these numbers", lambda numbers: sorted(numbers)[-2]),
    ("What is the last of these numbers", lambda numbers: numbers[-1]),
    ("How many numbers are in this list", len),
    ("What is the largest of these numbers minus the smallest", lambda numbers: max(numbers) - min(numbers)),
)

Pairs = Iterator[tuple[str, str]]


def fill(template: str, rng: random.Random) -> str:
    """Return a template with its numbers and words drawn; no word twice.

    Example:
        >>> fill("# + ##", random.Random(1))
        '4 + 82'
    """
    words = iter(rng.sample(WORDS, template.count("@")))
    drawn = re.sub("@", lambda _: next(words), template)
    return re.sub("#+", lambda m: str(rng.randint(max(2, 10 ** (len(m[0]) - 1)), 10 ** len(m[0]) - 1)), drawn)


def sums(rng: random.Random) -> Pairs:
    """Yield arithmetic of one to three steps."""
    for template in itertools.cycle(SUMS):
        expression = fill(template, rng)
        yield f"What is {expression}?", str(eval(expression))


def programs(rng: random.Random) -> Pairs:
    """Yield programs of one to three lines, with what they print when run."""
    for template in itertools.cycle(PROGRAMS):
        code = fill(template, rng)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, {})
        yield f"What does this Python code print?\n{code}", printed.getvalue().strip()


def sequences(rng: random.Random) -> Pairs:
    """Yield the start of a sequence, whose next number is asked for, and lists, of which a figure is."""
    lists = itertools.cycle(LISTS)
    for rule in itertools.cycle(NEXT):
        a, b = rng.randint(2, 9), rng.randint(2, 9)
        *shown, gold = [rule(a, b, i) for i in range(6)]
        yield f"Which number comes next: {', '.join(map(str, shown))}?", str(gold)
        wording, figure = next(lists)
        numbers = rng.sample(range(10, 100), rng.randint(3, 6))
        yield f"{wording}: {', '.join(map(str, numbers))}?", str(figure(numbers))


def questions() -> list[dict[str, str]]:
    """Return all questions, sorted by kind and number, each with its identifier, data set, text and gold answer."""
    kinds: dict[str, Pairs] = {
        "capital": ((f"What is the capital of {country}?", city) for country, city in CAPITALS),
        "fact": iter(FACTS),
        "opposite": ((f'What is the opposite of "{word}"?', opposite) for word, opposite in OPPOSITES),
        "python": programs(random.Random("python")),
        "sequence": sequences(random.Random("sequence")),
        "sum": sums(random.Random("sum")),
    }
    found = []
    for kind, pairs in kinds.items():
        unlike: dict[str, str] = {}
        while len(unlike) < EACH:  # a question drawn a second time is drawn anew
            text, gold = next(pairs)
            unlike.setdefault(text, gold)
        for number, (text, gold) in enumerate(unlike.items(), 1):
            identity = {"question_id": f"{kind}-{number:03}", "dataset": f"slmmux-{kind}"}
            found.append({**identity, "question": text, "gold": gold})
    return found


if __name__ == "__main__":
    lines = [json.dumps(question, ensure_ascii=False) + "\n" for question in questions()]
    QUESTIONS.write_text("".join(lines), encoding="utf-8")
    print(f"{len(lines)} questions written to {QUESTIONS.name}")
