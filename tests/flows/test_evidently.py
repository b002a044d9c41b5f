"""`penstock evidently` is Evidently's own server on the workspace that the watch flow writes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tasks.settings import ROOT
from tests.prefect_server import free_port


@pytest.mark.timeout(180)
def test_the_page_of_all_windows_answers(data_root: Path) -> None:
    (data_root / "evidently").mkdir(parents=True)
    port = free_port()
    command = [sys.executable, "-m", "flows.cli", "evidently", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PENSTOCK_DATA_ROOT": str(data_root)}) as server:
        try:
            deadline = time.monotonic() + 150
            while True:
                try:
                    answer = httpx.get(f"http://127.0.0.1:{port}/api/projects", trust_env=False)
                    break
                except httpx.ConnectError:
                    assert server.poll() is None and time.monotonic() < deadline
                    time.sleep(0.5)
            assert (answer.status_code, answer.json()) == (200, [])
        finally:
            server.terminate()
