r"""How an answer is announced in languages other than English.

Each pattern ends where the answer begins. `announced` knows what an announcement is for.
"""

import re

from slmmux.answers._pattern import pattern

__all__ = ["ANNOUNCEMENT", "COPULA", "decimal_comma"]

_WORDS = (
    r"(?:(?:richtige|bonne|meilleure)\ option|opci[óo]n\ correcta|(?:opção|alternativa)\ correta|opzione\ corretta"
    r"|antwort|(?:end)?ergebnis|lösung|r[ée]ponse|r[ée]sultat|respuesta|resultado|soluci[óo]n|resposta|solução"
    r"|risposta|risultato|soluzione|ответ(?:ом)?|результат(?:ом)?|(?:het\ )?antwoord|uitkomst|svar(?:et)?|odpowiedź|odpověď|wynik|jawaban(?:nya)?|hasilnya|răspuns(?:ul)?"
    r"|вывод|відповідь|απάντηση|cevap|đáp\ án|câu\ trả\ lời|válasz|vastaus|תשובה|(?:ال)?(?:[إا]جابة|جواب)|उत्तर|คำตอบ)"
)
_ADJECTIVES = (
    r"(?:\ (?:finale?s?|corr[eé]c?t[aeo]?|correctas?|corretta|giusta|exacta|exata|definitiva|d[ée]finitive"
    r"|đúng|الصحيحة?|النهائية?|คือ)){0,2}"
)
_IS = (
    r"(?:is|lautet|beträgt|ergibt|ist|w[aä]re?|est|serait|es|son|ser[áàa]|sería|seria|é|è|são|sono|sarebbe|это|равен|равна|равно|будет"
    r"|является|är|er|to|je|jest|là|adalah|este|είναι|هي|هو|है|คือ|הוא|היא)"
)
# An article or the like counts as one where something follows it: "a resposta é a B", but "a resposta é A".
_ARTICLE = (
    r"(?:\ (?:also|daher|somit|donc|entonces|portanto|quindi|dunque|die|der|das|den|la|le|les|el|los|lo|il|(?-i:[ao])"
    r"|option|opci[óo]n|opção|opzione|alternativa|letra|lettre|lettera|buchstabe|variante|вариант|буква)"
    r"(?=\ [^\W_]|\ [(\[*\\$])|\ l['’](?:option\ )?){0,3}"
)
ANNOUNCEMENT = rf"""
    (?<!\w) {_WORDS} {_ADJECTIVES} (?: \ ?\([^()\n]{{0,40}}\) )? [*_`)\ \u00a0]{{0,6}}
        (?: [:=：] | \b{_IS}\b [:]? {_ARTICLE} | [-–—]\ )
  | \b (?: ist | lautet | w[aä]re? | est | es | é | è ) \ (?: die | das | la | le | el | a | il | o ) \ (?: [^\W\d_]{{4,12}}\ )?
        {_WORDS} {_ADJECTIVES} [*_`\ ]{{1,6}} (?= [(\[*$"]{{0,4}} (?: [A-Z] \b | [0-9\\] ) )
  | (?<!\w) (?: ответ | cevap | उत्तर | антворт | đáp\ án ) \ (?: это\ | — )?+ (?= [(\[*$"]{{0,4}} (?: [A-Z] \b | [0-9\\] ) )
  | (?: 答案 | 答え | 正解 | 回答 | 解答 | 答 (?=[:：]) | 正确选项 | 正確選項 | 结果 | 結果 | 選択肢 (?=は) | 正しい(?:の|もの|選択肢)(?=は) )
        (?: 应该?|應該?|就 )?+ [*_]{{0,3}} \ ?
        (?: [:：]\ ? | [是为為はが] [:：]?+ | (?=[A-Z0-9$\\(（【]) ) (?: \ ?(?:选项?|選項?|选择) )?+
  | (?<! [不别勿没] ) (?: 选择? | 選擇? ) [:：]?+ \ ? (?= [(（\[【]? [A-ZＡ-Ｚ] (?![A-Za-z]) )
  | (?<! [가-힣] ) (?: 최종\ ? )?+ (?: 정답 | 해답 | 답변? | 결과 ) (?: [은는이가] \ ?[:：]?+ | \ ?[:：] )
"""
# What stands after an answer in languages whose verb comes last.
COPULA = r"(?:です|である|だ|となります|になります|でしょう|입니다|이다|이에요|예요|번(?:입니다)?|을\ 선택|を選|项|選項|选项|है|dir|dır)"
_COMMA = pattern(rf"\b{_WORDS}\b", re.IGNORECASE)


def decimal_comma(text: str) -> bool:
    """Return whether a text announces its answer in a language that writes one and a half as 1,5.

    Example:
        >>> decimal_comma("Die Antwort ist 12,5."), decimal_comma("The answer is 12,5.")
        (True, False)
    """
    return _COMMA.search(text) is not None
