"""What a process apart may meet: work that fails, prints, sleeps, eats memory or ends without a word."""

import os
import signal
import sys
import time

from pydantic import BaseModel

from tasks.artifacts import current
from tasks.errors import NotFound
from tasks.language.apart import Tell
from tasks.language.faults import Fault


class Order(BaseModel):
    number: int = 0


class Done(BaseModel):
    number: int
    store: str


def doubled(order: Order, tell: Tell) -> Done:
    """Tells while it works, and is interrupted by what libraries print."""
    for step in range(order.number):
        sys.stdout.write("a bar |####    |\n")
        os.write(1, b"noise of a library\n")
        sys.stdout.flush()
        tell({"step": step})
    return Done(number=2 * order.number, store=current().address)


def missing(_order: Order, _tell: Tell) -> Done:
    raise NotFound("There is no such\nthing; look elsewhere.")


def faulty(_order: Order, _tell: Tell) -> Done:
    raise Fault("a rule", "something else")


def broken(order: Order, _tell: Tell) -> Done:
    return Done(number=1 // order.number, store="")


def hungry(order: Order, _tell: Tell) -> Done:
    """Keeps the processor busy for a second, with so many megabytes."""
    kept, end = b"x" * (order.number << 20), time.process_time() + 1
    while time.process_time() < end:
        pass
    return Done(number=len(kept), store="")


def too_hungry(_order: Order, _tell: Tell) -> Done:
    return Done(number=len(bytearray(1 << 62)), store="")


def killed(_order: Order, _tell: Tell) -> Done:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def silent(order: Order, _tell: Tell) -> Done:
    os._exit(order.number)


def sleeping(_order: Order, tell: Tell) -> Done:
    """Tells its process, and sleeps."""
    tell({"pid": os.getpid()})
    time.sleep(600)
    raise AssertionError
