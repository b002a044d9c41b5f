"""The user's own row-wise features, `module:function`: found for training, kept in the release, run by the service."""

import importlib.util
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from tasks.errors import BadInput

Row = dict[str, Any]
RowFunction = Callable[[Row], Row]
RUNNING = (ArithmeticError, LookupError, TypeError, ValueError, AttributeError)
LOADING = (SyntaxError, ImportError, NameError, OSError, *RUNNING)


def find(reference: str, folders: list[Path]) -> Path:
    """The file of `module:function` in the first of the folders that has it."""
    module = reference.partition(":")[0]
    tried = [folder / Path(*module.split(".")).with_suffix(".py") for folder in folders]
    for path in tried:
        if path.is_file():
            return path
    places = ", ".join(str(path) for path in tried)
    raise BadInput(f"The recipe's features {reference!r} name a module that is not there; looked for {places}.")


def load(path: Path, reference: str) -> RowFunction:
    """The function from its file, loaded under a name of its own so that two versions can live side by side."""
    function = reference.partition(":")[2]
    name = f"penstock_features_{sha256(path.read_bytes()).hexdigest()[:16]}"
    module = sys.modules.get(name)
    if module is None:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise BadInput(f"{path} is not a Python file; the recipe's features name a module and a function in it.")
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except LOADING as error:
            told = f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"
            where = f"{path}, line {_line(error, path)}"
            raise BadInput(f"The features {reference!r} cannot be loaded: {where}: {told}; mend the file.") from error
        sys.modules[name] = module
    found = getattr(module, function, None)
    if not callable(found):
        raise BadInput(f"{path} has no function {function!r}, which the recipe's features {reference!r} name.")
    return partial(_guarded, found, reference)


def _line(error: BaseException, path: Path) -> int | None:
    """Where in the file: the line of its syntax, or the last one of it that ran."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename == str(path)), None)


def _guarded(function: Callable[[Row], Mapping[str, Any]], reference: str, row: Row) -> Row:
    try:
        result = function(dict(row))
    except RUNNING as error:
        told = f"{type(error).__name__}: {error}"
        raise BadInput(f"The features {reference!r} failed with {told}; mend the function.") from error
    if not isinstance(result, Mapping):
        raise BadInput(
            f"The features {reference!r} returned {type(result).__name__}; they must return a dict of columns."
        )
    return dict(result)
