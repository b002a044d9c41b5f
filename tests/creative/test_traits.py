"""Facts of records: what the service logs and the reference has alike."""

import json

import pytest

from tasks.artifacts import Artifact, current, file_sha256
from tasks.creative.served import Served
from tasks.creative.traits import VOCABULARY, traits, vocabulary
from tests.creative.room import Room, released

ROW = {"title": "The Kettle", "description": "It boils a litre of water in the kitchen", "price": 34.5, "new": True}


def test_counts_and_numbers_tell_nothing_of_the_text() -> None:
    told = traits(ROW, cut=True)
    assert told == {"price": 34.5, "new": True, "chars": 50, "words": 11, "capitals": 0.073, "cut": True}


def test_words_that_training_never_had() -> None:
    known = frozenset({"the", "kettle", "it", "boils", "a", "litre", "of", "water"})
    told = traits(ROW, False, known)
    assert (told["unknown_words"], told["language"]) == (0.1818, "en")  # in, kitchen
    assert traits({"title": "Der Kessel ist nicht von hier"}, False, known)["language"] == "de"
    assert traits({"title": None, "price": 1}, False, known)["unknown_words"] == 0


def test_capitals_and_marks_make_no_new_word() -> None:
    assert traits({"title": "KETTLE, kettle! Kettle2"}, False, frozenset({"kettle"}))["unknown_words"] == 0


def test_a_word_of_one_record_alone_stays_out_of_the_vocabulary() -> None:
    rows = [{"a": "blue kettle", "b": "of Ada"}, {"a": "Blue pan pan"}, {"a": "blue lamp", "n": 3}, {"b": "PAN"}]
    assert vocabulary(rows) == ["blue", "pan"]


@pytest.mark.usefixtures("opened_shop")
def test_a_release_carries_the_words_of_its_training_part(words: Artifact, shop: Room) -> None:
    folder = current().path(released(words, shop))
    release = json.loads((folder / "release.json").read_bytes())
    assert release["files"][VOCABULARY] == file_sha256(folder / VOCABULARY)
    served = Served.load(folder, current().path)
    assert served.vocabulary is not None and {"kettle", "rust", "testers"} <= served.vocabulary
    assert served.traits({"title": "Testers kettle zyzzyva"}, False)["unknown_words"] == 0.3333


@pytest.mark.usefixtures("opened_shop")
def test_older_releases_tell_what_they_told_before(words: Artifact, shop: Room) -> None:
    folder = current().path(released(words, shop))
    release = json.loads((folder / "release.json").read_bytes())
    del release["files"][VOCABULARY]
    told = Served(release, Served.load(folder, current().path).classifier).traits(ROW, False)
    assert not {"unknown_words", "language"} & {*told} and told["words"] == 11


@pytest.mark.usefixtures("opened_shop")
def test_personal_fields_are_in_no_fact(words: Artifact, shop: Room) -> None:
    folder = current().path(released(words, shop))
    release = json.loads((folder / "release.json").read_bytes())
    for field in release["input_schema"]:
        field["personal"] = "hash" if field["name"] in ("title", "price") else None
    served = Served(release, Served.load(folder, current().path).classifier)
    assert served.traits({"title": "Ada", "description": "ten pans", "price": 3.0}, False) == {
        "chars": 8, "words": 2, "capitals": 0.0, "cut": False,
    }  # fmt: skip
