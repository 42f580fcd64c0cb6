"""A fork server: programs that start with PyTorch imported, which is most of what a short one waits for.

``python forkserver.py DESCRIPTOR MODULE...`` is the server. It imports the modules and forks for each who connects to
the listening socket of that descriptor. When its standard input ends, so does it, with everything that it started.

``python -IS forkserver.py SOCKET PROGRAM ARGUMENT...`` does what ``python PROGRAM ARGUMENT...`` does (PROGRAM may be
``-m MODULE``), in a child of the server that has this process's arguments, directory, environment, standard streams
and signals; and it ends as the child does. What differs from a fresh process: the modules are there, torch has one
thread unless told otherwise, and variables that Python or a module reads when it begins come too late.

The fixture ``forking`` of conftest.py starts the one, and gives a command that is the other.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import site
import socket
import sys
from contextlib import suppress
from typing import NoReturn

FORWARDED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


def ask(server: str, program: list[str]) -> NoReturn:
    """Have ``program`` run, and end as it does."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(server)
        request = json.dumps([program, os.getcwd(), dict(os.environ)]).encode()
        socket.send_fds(connection, [len(request).to_bytes(4)], [0, 1, 2])
        connection.sendall(request)

        def forward(number: int, _: object) -> None:
            with suppress(OSError):  # it has ended
                connection.send(bytes([number]))

        for number in FORWARDED:
            signal.signal(number, forward)
        answer = connection.makefile().readline()
    if not answer:
        sys.exit("the fork server has ended")
    code = int(answer)
    if code < 0:
        with suppress(OSError):  # SIGKILL has no handler
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def serve(listener: socket.socket) -> list[str]:
    """Returns in children alone, each of which has become the process that was asked for: its program, arguments."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for those who wait for the children
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a keeper
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            os._exit(0)
        connection, _ = listener.accept()
        with connection:
            if not os.fork():
                listener.close()
                return keep(connection)


def keep(connection: socket.socket) -> list[str]:
    """Fork the child, hand signals on to it and tell how it ended; it outlives neither who asked nor the server."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(connection, 4, 3)
    program, directory, environment = json.loads(connection.recv(int.from_bytes(size), socket.MSG_WAITALL))
    child = os.fork()
    if not child:
        become(directory, environment, streams)
        return list(program)
    for stream in streams:
        os.close(stream)
    end = os.pidfd_open(child)
    while end not in (ready := select.select([end, connection, sys.stdin], [], [])[0]):
        number = connection.recv(1) if connection in ready else b""
        os.kill(child, number[0] if number else signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(OSError):
        connection.sendall(b"%d\n" % code)
    os._exit(0)


def become(directory: str, environment: dict[str, str], streams: list[int]) -> None:
    """Give this process what a fresh one is started with."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for standard, stream in enumerate(streams):
        os.dup2(stream, standard)
        os.close(stream)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    for directory in site.getsitepackages():
        site.addsitedir(directory)  # what was installed with -e since stands in a .pth file
    importlib.invalidate_caches()


def run(program: list[str]) -> None:
    """As the interpreter does."""
    if program[0] == "-m":
        sys.argv, sys.path[0] = program[1:], os.getcwd()
        runpy.run_module(program[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = program, os.path.dirname(program[0])
        runpy.run_path(program[0], run_name="__main__")


def main(where: str, *names: str) -> None:
    """One or the other."""
    if not where.isdecimal():
        ask(where, list(names))
    for name in names:
        importlib.import_module(name)
    if len(os.listdir("/proc/self/task")) > 1:
        sys.exit("a child would be without the threads that an import has started")
    gc.freeze()  # a collection in a child would copy every page
    run(serve(socket.socket(fileno=int(where))))


if __name__ == "__main__":
    main(*sys.argv[1:])
