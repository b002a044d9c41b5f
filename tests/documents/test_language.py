"""Languages by script and by common words, and letters of no language."""

import pytest

from tasks.documents.language import garbled, language
from tests.documents import made

TEXTS = {
    "en": "The water that is in the reservoir was used for the turbine and it is not enough for all the towns.",
    "de": "Das Wasser, das in dem Speicher ist, wird für die Turbine genutzt und reicht nicht für alle aus.",
    "fr": "L'eau qui est dans le réservoir est utilisée pour la turbine et ne suffit pas pour les villes.",
    "es": "El agua que está en el embalse se usa para la turbina y no es suficiente para todos los pueblos de la zona.",
    "it": "L'acqua che si trova nel serbatoio è usata per la turbina e non basta per tutti i paesi della zona.",
    "pt": "A água que está no reservatório é usada para a turbina e não é suficiente para todas as cidades da região.",
    "nl": "Het water dat in het meer zit wordt voor de turbine gebruikt en is niet genoeg voor de steden.",
    "ja": made.CJK[1],
    "zh": made.CJK[0],
    "ko": made.CJK[2],
    "he": made.RTL[0],
    "ar": made.RTL[1],
    "ru": "Вода из водохранилища идёт на турбину.",
    "": "Kwxz brlm 12 34 qqq vvv zzz.",
}


@pytest.mark.parametrize("code", TEXTS)
def test_the_language_is_told(code: str) -> None:
    assert language(TEXTS[code]) == code


def test_what_does_not_decide_is_unknown() -> None:
    assert language("") == ""
    assert language("The dam.") == ""
    assert language(TEXTS["en"] + TEXTS["fr"]) == ""
    assert language("Вода їхала через ґанок") == ""


def test_garbled_words() -> None:
    assert garbled(made.GARBLED) and garbled("\ufffd\ufffd\ufffd\ufffd a")
    assert not garbled("Příliš žluťoučký kůň úpěl ďábelské ódy")
    assert not garbled("x ∈ R, ∑ = 4") and not garbled("")
