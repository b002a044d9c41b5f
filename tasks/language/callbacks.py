"""What happens between the steps of a training: progress and losses are told, checkpoints sealed, nonsense stopped."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.errors import BadInput
from tasks.language.apart import first
from tasks.language.checkpoints import seal


def callbacks(tell: Callable[[dict[str, Any]], None], tokens: int, patience: int, looks: bool) -> list[Any]:
    """For a Trainer; `tokens` are those of an epoch."""
    from transformers import EarlyStoppingCallback, TrainerCallback

    class Told(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            share = (state.num_train_epochs or 1) / max(state.max_steps, 1)
            tell({"step": state.global_step, "of": state.max_steps, "tokens": round(tokens * share)})

        def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            numbers = {name: float(value) for name, value in kwargs["logs"].items() if isinstance(value, int | float)}
            bad = [name for name in ("loss", "eval_loss") if name in numbers and not math.isfinite(numbers[name])]
            if bad:
                raise BadInput(
                    f"The {bad[0]} is no number at step {state.global_step}: the weights ran away. Set a lower "
                    "`rate` in the recipe, and look for broken examples."
                )
            tell({"metrics": numbers, "step": state.global_step})

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if first():
                seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    return [Told(), *([EarlyStoppingCallback(early_stopping_patience=patience)] if looks else [])]
