from __future__ import annotations

import os
import socket
import subprocess
import threading

import pytest


def test_a_unit_test_cannot_start_a_process():
    with pytest.raises(AssertionError, match=r"subprocess\.Popen in .*test_guard.*no process"):
        subprocess.run(["true"], check=True)
    with pytest.raises(AssertionError, match=r"os\.fork"):
        os.fork()


def test_a_unit_test_cannot_open_a_socket():
    with pytest.raises(AssertionError, match="socket"):
        socket.create_connection(("127.0.0.1", 9))


def test_other_threads_are_held_to_it_too():
    caught: list[BaseException] = []

    def start() -> None:
        try:
            subprocess.run(["true"], check=True)
        except AssertionError as error:
            caught.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert len(caught) == 1
