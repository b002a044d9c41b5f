"""Which folders are taken for a base, and what is said of the others."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.assistant import base_of
from flows.assistant_order import Lessons
from tasks import settings
from tasks.artifacts import Store
from tasks.errors import BadInput, PenstockError, Refused
from tasks.language.base import KEPT, Base, check_licence, from_folder, from_hub, kept, load, parameters, weight_bytes
from tasks.language.specs import LICENCES, AssistantRecipe
from tests.language.room import ROOT, TINY, Room, copied

OFFLINE = """
import sys
from tasks.errors import Unavailable
from tasks.language.base import from_hub

try:
    from_hub("somebody/something", "0" * 40, sys.argv[1] or None)
except Unavailable as error:
    print(error)
"""


def configured(folder: Path, **more: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | more))


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


WEIGHTS = "model.safetensors"
HARMS: dict[str, tuple[Callable[[Path], object], type[PenstockError], str]] = {
    "code of its own": (
        lambda folder: configured(folder, auto_map={"AutoModel": "modeling.Mine"}),
        Refused,
        "run code of its own .*auto_map",
    ),
    "a pickle": (lambda folder: (folder / "pytorch_model.bin").write_bytes(b"x"), Refused, r"pytorch_model\.bin.*code"),
    "a pickle in capitals": (lambda folder: (folder / "A.PT").write_bytes(b"x"), Refused, r"A\.PT.*can run code"),
    "a module": (lambda folder: (folder / "modeling.py").write_text(""), Refused, r"modeling\.py.*can run code"),
    "no template": (lambda folder: (folder / "chat_template.jinja").unlink(), BadInput, "no chat template"),
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), Refused, "no safetensors; convert"),
    "weights cut short": (lambda folder: cut(folder / WEIGHTS, 5000), BadInput, "truncated .*fetch the model again"),
    "weights cut in the header": (lambda folder: cut(folder / WEIGHTS, 20), BadInput, "truncated"),
    "empty weights": (lambda folder: cut(folder / WEIGHTS, 0), BadInput, "truncated"),
    "no config": (lambda folder: (folder / "config.json").unlink(), BadInput, r"no readable config\.json"),
    "half a config": (lambda folder: cut(folder / "config.json", 30), BadInput, r"no readable config\.json"),
    "config in Latin-1": (
        lambda folder: (folder / "config.json").write_bytes(b'{"a": "\xfc"}'),
        BadInput,
        r"no readable config\.json",
    ),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_folder_that_cannot_or_must_not_be_loaded_is_told(room: Room, tmp_path: Path, harm: str) -> None:
    change, kind, words = HARMS[harm]
    folder = copied(room.base.artifact, tmp_path / "base", change)
    with pytest.raises(kind, match=words):
        from_folder(str(folder), "mine", "mit")


def test_what_is_no_folder_is_told(store: Store, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is no folder; see `base`"):
        from_folder(str(tmp_path / "nothing"), "mine", "mit")


def test_a_folder_is_kept_without_what_no_model_needs(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = copied(room.base.artifact, tmp_path / "base", lambda folder: (folder / "README.md").write_text("x"))
    base = from_folder("~/base", "mine", "mit")
    names = {path.name for path in copied(base.artifact, tmp_path / "kept").iterdir()}
    assert names == {path.name for path in folder.iterdir()} - {"README.md"} and names <= {*KEPT, WEIGHTS}
    assert base.artifact == room.base.artifact and (base.name, base.licence, base.revision) == ("mine", "mit", None)


def test_its_weights_are_counted_by_their_headers(room: Room, room_store: Store) -> None:
    assert parameters(room_store.path(room.base.artifact)) == room.base.parameters
    assert 4 * room.base.parameters < weight_bytes(room.base.artifact) < 4 * room.base.parameters + 4096
    model = load(room_store.path(room.base.artifact))
    assert sum(one.numel() for one in model.parameters()) == room.base.parameters
    assert model.config.hidden_size == TINY.hidden and not model.training


def test_a_licence_that_the_recipe_does_not_allow_is_refused(room: Room) -> None:
    base = Base(artifact=room.base.artifact, name="mine", licence="Apache-2.0", parameters=1)
    check_licence(base, LICENCES)
    check_licence(base, ["Apache-2.0"])
    for licence in ("llama3.1", "unknown", ""):
        with pytest.raises(Refused, match=r"not among those that the recipe allows .*apache-2\.0"):
            check_licence(base.model_copy(update={"licence": licence}), LICENCES)


@pytest.mark.parametrize("licence", ["", "mit"])
@pytest.mark.parametrize("network", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}])
def test_the_hub_without_a_network_is_told(tmp_path: Path, network: dict[str, str], licence: str) -> None:
    env = os.environ | network | {"PYTHONPATH": str(ROOT), "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", OFFLINE, licence], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "The base somebody/something cannot be downloaded" in done.stdout and "local folder" in done.stdout


def test_of_a_folder_that_is_not_the_users_own_only_what_is_kept_is_looked_at(room: Room, tmp_path: Path) -> None:
    snapshot = copied(room.base.artifact, tmp_path / "snapshot")
    for name in ("pytorch_model.bin", "model.safetensors.py"):  # by other tools, in the cache of the hub
        (snapshot / name).write_bytes(b"x")
    assert kept(snapshot, "somebody/something", "mit").artifact == room.base.artifact


def test_a_name_that_no_model_of_the_hub_can_have_is_told() -> None:
    with pytest.raises(BadInput, match="no folder, and no name of the hub"):
        from_hub("some/folder/elsewhere", "0" * 40, "mit")


def test_a_folder_is_a_folder_with_a_revision_too(prefect_server: str, room: Room, tmp_path: Path) -> None:
    folder = copied(room.base.artifact, tmp_path / "base")
    recipe = AssistantRecipe(
        name="chat", kind="assistant", dataset="talks", base=str(folder), revision="0" * 40, licence="mit"
    )
    lessons = Lessons.model_construct(recipe=recipe)
    assert base_of(lessons, settings.load()).artifact == room.base.artifact
