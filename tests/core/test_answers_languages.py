"""Answers announced in other languages, and written with the signs of other scripts."""

import pytest

from slmmux import answers
from slmmux.answers._words.number_words import words_at

LETTERS = [
    "Antwort: {}", "Die Antwort ist {}.", "Die richtige Antwort lautet {}.", "Die richtige Option ist {}.",
    "Lösung: {}", "Also ist die Antwort ({}).", "Also ist die Antwort: ({}).",
    "Réponse : {}", "La réponse est {}.", "La bonne réponse est la lettre {}.", "La réponse correcte est l'option {}.",
    "Respuesta: {}", "La respuesta es {}.", "La respuesta correcta es la {}.", "La opción correcta es la opción {}.",
    "Resposta: {}", "A resposta é {}.", "A resposta correta é a {}.", "A alternativa correta é a letra {}.",
    "Risposta: {}", "La risposta è {}.", "La risposta corretta è la {}.",
    "Ответ: {}", "Правильный ответ: {}", "Правильный ответ — {}.", "Ответ: **{}**",
    "答案：{}", "答案是{}。", "正确答案是选项{}。", "所以选{}。", "因此，应选择 {}。", "答案为（{}）",
    "答え：{}", "答えは{}です。", "正解は {} です。", "正解は（{}）である。",
    "정답: {}", "정답은 {}입니다.", "답은 {}번입니다.", "따라서 정답은 ({})이다.",
]  # fmt: skip
NUMBERS = [
    "Antwort: {}", "Das Ergebnis ist {}.", "Réponse : {} euros", "Le résultat est donc {}.", "La respuesta es {}.",
    "El resultado es {} manzanas.", "O resultado é {}.", "Il risultato è {}.", "Ответ: {} яблок.", "答案是 {}。",
    "结果为{}", "答えは{}です。", "답은 {}입니다.", "정답: {}",
]  # fmt: skip


@pytest.mark.parametrize("announcement", LETTERS)
@pytest.mark.parametrize("letter", ["A", "B", "E", "Ｄ"])
def test_letters(announcement, letter):
    """A letter announced in another language is a choice, as in English, and under `auto` as well."""
    reply = announcement.format(letter)
    plain = letter.replace("Ｄ", "D")
    assert answers.choice(reply) == plain
    assert answers.reader("auto")(f"A) C) ...\n{reply}") == answers.reader("auto")(f"The answer is {plain}.")


@pytest.mark.parametrize("announcement", NUMBERS)
@pytest.mark.parametrize(("written", "read"), [("42", "42"), ("4２", "42"), ("3,5 %", "0.035"), ("-7", "-7")])
def test_numbers(announcement, written, read):
    """So is a number, with the signs that the language writes it with."""
    reply = announcement.format(written)
    assert answers.number(f"7 + 8. {reply}") == read
    assert answers.auto(f"7 + 8. {reply}") == read


@pytest.mark.parametrize(
    "reply",
    [
        "不选 B",
        "别选择C",
        "Die Antwort kommt gleich",
        "A resposta depende",
        "정답을 모르겠다",
        "答え方は B です",
        "réponses",
    ],
)
def test_words_that_announce_nothing(reply):
    """The words of an announcement without its form announce nothing."""
    assert answers.choice(reply) is None


@pytest.mark.parametrize(
    ("reply", "read"), [("Die Antwort ist 12,5.", "12.5"), ("La réponse est 0,75.", "0.75"), ("Ответ: 1,5", "1.5")]
)
def test_a_decimal_comma(reply, read):
    """In a language that writes a comma there, `auto` reads a decimal, where it would see a list in English."""
    assert answers.auto(reply) == read
    assert answers.reader("auto")("Answer: 12,5").kind != "number"


SCRIPTS = ["42", "４２", "٤٢", "۴۲", "४२", "৪২", "๔๒", "**４２**", "４２。"]


@pytest.mark.parametrize("written", SCRIPTS)
def test_digits(written):
    """Digits of any script are digits."""
    assert answers.number(written) == "42"
    assert answers.number(f"Answer: {written}") == "42"
    assert answers.auto(written) == "42"


@pytest.mark.parametrize("written", ["Ｂ", "（B）", "（Ｂ）", "【B】", "〔B〕", "Ｂ。", "**Ｂ**", "Ｂ） Oslo"])
def test_full_width_letters(written):
    """A letter or its bracket as wide as a Chinese sign is that letter, and a small one too."""
    assert answers.choice(written) == answers.auto(written) == "B"
    assert answers.choice(f"Answer: {written}") == "B"


WORDS = [
    ("forty-two", 42), ("Twelve", 12), ("one hundred and five", 105), ("two thousand three hundred and one", 2301),
    ("three million", 3_000_000), ("minus five", -5), ("a hundred", 100), ("zero", 0), ("sixty five", 65),
    ("zwölf", 12), ("dreißig", 30), ("douze", 12), ("quarante-deux", 42), ("doce", 12), ("cuarenta y dos", 42),
    ("doze", 12), ("vinte e dois", 22), ("dodici", 12), ("двенадцать", 12), ("四十二", 42), ("一百零五", 105),
    ("二〇二四", 2024), ("一万二千", 12_000), ("十", 10),
]  # fmt: skip


@pytest.mark.parametrize(("written", "value"), WORDS)
def test_numbers_in_words(written, value):
    """A number in words is one where it is announced, or is the whole reply."""
    assert answers.number(f"7 + 8. The answer is {written}.") == str(value)
    assert answers.number(f"{written}.") == str(value)
    assert answers.auto(f"Answer: {written}") == str(value)


@pytest.mark.parametrize(
    "written", ["one of them", "two three", "twenty twenty", "one that fits", "twofold", "tension", "two or three"]
)
def test_words_that_are_no_single_number(written):
    """Two numbers, part of a phrase, or the beginning of another word are none."""
    assert answers.number(f"The answer is {written}.") is None
    assert answers.number(f"Some say {written}") is None


def test_words_have_an_end():
    """What is read ends where the number does, and a number too large to be one in words is none."""
    assert words_at("forty-two apples", 0)[1] == len("forty-two")
    assert words_at(" ".join(["trillion"] * 50), 0) is None
