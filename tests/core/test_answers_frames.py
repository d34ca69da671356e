"""Sentences that repeat the question say only what they add, so that short factual texts agree without a model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmmux.answers import reader

ONE = {
    "What is the capital of Peru?": [
        "Lima", "**Lima.**", "The capital of Peru is Lima.", "Peru's capital is Lima.", "Lima is the capital city of Peru.",
        "It is Lima.", "It's Lima!", "Sure! The capital of Peru is Lima.", "The capital is Lima; it lies on the coast.",
        "The capital of Peru is Lima. I hope this helps!", "Peru's capital city is called Lima.", "That would be Lima.",
        "The capital of Peru is the city of Lima.", "The answer is Lima.", r"\boxed{\text{Lima}}",
        "Let me think. The capital of Peru is Lima.", "Lima, Peru", "The capital of Peru is Lima, which lies on a coast.",
    ],
    "Who painted The Night Watch?": [
        "Rembrandt", "The Night Watch was painted by Rembrandt.", "Rembrandt painted The Night Watch.",
        "It was painted by Rembrandt.", "The painter of The Night Watch is Rembrandt.", "It was Rembrandt.",
    ],
    "How many legs does a spider have?": [
        "8", "eight", "Eight legs.", "A spider has 8 legs.", "A spider has eight legs.", "It has 8 legs.", "The answer is 8.",
        r"\boxed{8}", "Spiders have 8 legs in all.",
    ],
    "When did the Berlin Wall fall?": ["1989", "In 1989.", "The Berlin Wall fell in 1989.", "It was in 1989.", "It happened in 1989."],
    "In which country is Kyoto?": ["Japan", "In Japan.", "Kyoto is in Japan.", "Kyoto is located in Japan."],
    "Are whales fish?": ["No", "No, whales are mammals.", "no."],
    "What is 17 + 25?": ["42", "17 + 25 = 42", "The sum of 17 and 25 is 42.", "17 + 25 equals 42."],
    "Wie heißt die Hauptstadt von Österreich?": ["Wien", "Die Hauptstadt von Österreich ist Wien.", "Wien ist die Hauptstadt von Österreich.", "Es ist Wien."],
    "Quelle est la capitale du Sénégal ?": ["Dakar", "La capitale du Sénégal est Dakar.", "C'est Dakar."],
    "¿Cuál es la capital de Chile?": ["Santiago", "La capital de Chile es Santiago.", "Es Santiago."],
    "Qual é a capital de Angola?": ["Luanda", "A capital de Angola é Luanda.", "É Luanda."],
    "Qual è la capitale dell'Austria?": ["Vienna", "La capitale dell'Austria è Vienna."],
    "Какой город является столицей Перу?": ["Лима", "Столица Перу — Лима.", "Это Лима."],
    "秘鲁的首都是哪里？": ["利马", "秘鲁的首都是利马。", "利马是秘鲁的首都。"],
    "ペルーの首都はどこですか？": ["リマ", "ペルーの首都はリマです。", "リマです。"],
    "페루의 수도는 어디입니까?": ["리마", "페루의 수도는 리마입니다.", "리마입니다."],
}  # fmt: skip
OTHERS = [
    ("What is the capital of Peru?", ["Lima", "Cusco", "The capital of Peru is not Lima.", "I do not know the capital of Peru.", "Lima or Cusco"]),
    ("What is osmosis?", ["Osmosis is the process by which water moves.", "Osmosis is the process by which salt moves."]),
    ("Can penguins fly?", ["Yes", "No", "Penguins cannot fly.", "Penguins can fly."]),
    ("Is 7 prime?", ["Yes", "7 is a prime number.", "7 is not a prime number."]),
    ("How many apples has Tom?", ["5", "6", "It is not 5.", "between 5 and 6"]),
    ("What is the longest river?", ["Nile", "The longest river is the Nile. However, some say the Amazon."]),
]  # fmt: skip


@pytest.mark.parametrize("question", ONE)
def test_one_answer_in_several_sentences(question):
    """A sentence that repeats the question is the answer that it adds, in every frame and language."""
    read = reader("auto", question=question)
    assert len({read(reply) for reply in ONE[question]}) == 1


@pytest.mark.parametrize(("question", "replies"), OTHERS)
def test_other_content_stays_another_answer(question, replies):
    """A denial, a doubt, a definition or what is taken back is never made the plain answer."""
    read = reader("auto", question=question)
    assert len({read(reply) for reply in replies}) == len(replies)


def test_texts_are_compared_so_as_well():
    """The extractor "text" compares by what a sentence adds, and shows the whole reply."""
    read = reader("text", question="What is the capital of Peru?")
    assert read("The capital of Peru is Lima.") == read("Lima")
    assert read("The capital of Peru is Lima.").value == "The capital of Peru is Lima."


def test_without_a_question_a_sentence_is_itself():
    """Where the question is not known nothing is taken out of a sentence."""
    assert reader("auto")("The capital of Peru is Lima.") != reader("auto")("Lima")


@given(st.text("Lima is.,'s:?は是 \n의 7%", max_size=80), st.text("What is the 7?は是 \n", max_size=60))
def test_nothing_raises(reply, question):
    """Whatever is asked and replied, a reply that says something has an answer."""
    answer = reader("auto", question=question)(reply)
    assert answer is not None or not reply.strip() or reply.strip(" \n.,:'?")[:1] == ""
