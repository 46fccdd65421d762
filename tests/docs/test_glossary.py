"""Each public class says in one sentence what it is, and no word has two meanings."""

from collections import Counter

from tests.docs.glossary_page import PAGE, as_class, entries, glossary_page, words


def test_the_page_is_what_the_classes_say():
    """glossary.md is drawn from the docstrings; `python -m tests.docs.glossary_page` draws it anew."""
    assert glossary_page() == PAGE.read_text()


def test_the_first_sentence_of_a_class_defines_it():
    """It is a sentence of some words that begins with a capital, ends with a full stop and is no longer than a row."""
    wrong = [f"{each.path}:{each.name}: {each.sentence}" for each in entries() if not _defines(each.sentence)]
    assert [] == wrong


def _defines(sentence):
    begins = sentence[:1].isupper() or sentence.startswith("`")
    return begins and sentence.endswith(".") and len(sentence.split()) in range(2, 40)


def test_a_word_is_one_class():
    """Nobody has to ask which Server, Line or Source is meant."""
    assert [] == [name for name, count in Counter(entry.name for entry in entries()).items() if count > 1]


def test_a_word_of_the_field_has_one_entry():
    """What is a class has its meaning in the docstring and nowhere else; what has a meaning here is no class."""
    classes = {entry.name for entry in entries()}
    assert [] == [word for word, meaning, _ in words() if bool(meaning) == (as_class(word) in classes)]
    assert [] == [word for word, count in Counter(word for word, *_ in words()).items() if count > 1]
