"""The program of workers: ``python -m drivetrain.serve.worker NEWS``.

It imports what a worker needs, then forks one for each packet that comes with two sockets over
``NEWS``, the number of an inherited one: the listener, and where orders come from as JSON. It has
no threads and no event loop, so that a fork finds nothing half done. When its parent's end is
closed it ends; its workers read the end of their own orders.
"""

from __future__ import annotations

import gc
import logging
import os
import select
import signal
import socket
import sys
from contextlib import suppress

import httptools as httptools  # uvicorn imports both when a server begins
import uvloop as uvloop

from drivetrain.serve.messages import Start, read_order
from drivetrain.serve.nursery import Born, Died, News, Unborn, no_process, write_news
from drivetrain.serve.server import Server


def main(number: int) -> None:
    """Fork workers until the parent is gone; in a worker, serve and return."""
    news = socket.socket(fileno=number)
    awake, wake = socket.socketpair()
    awake.setblocking(False)
    wake.setblocking(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all: the parent decides
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno())
    gc.freeze()  # what is here stays, and a collection would copy its pages
    while True:
        readable, _, _ = select.select([news, awake], [], [])
        if awake in readable:
            awake.recv(4096)
            _tell_deaths(news)
        if news not in readable:
            continue
        packet, given, _, _ = socket.recv_fds(news, 1, 2)
        if not packet:
            return
        try:
            worker = os.fork()
        except OSError as error:
            told: News = Unborn(no_process(error))
        else:
            if not worker:
                break
            told = Born(worker)
        for handle in given:
            os.close(handle)
        news.send(write_news(told))
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for each in (news, awake, wake):
        each.close()
    work(*given)


def _tell_deaths(news: socket.socket) -> None:
    with suppress(ChildProcessError):
        while True:
            worker, status = os.waitpid(-1, os.WNOHANG)
            if not worker:
                return
            news.send(write_news(Died(worker, os.waitstatus_to_exitcode(status))))


def work(listener: int, control: int) -> None:
    """Serve on an inherited socket until told to end."""
    orders = socket.socket(fileno=control)
    start = read_order(_first_line(orders))
    if not isinstance(start, Start):
        raise SystemExit(f"the first order has to be a start, got {type(start).__name__}")
    orders.setblocking(False)
    if start.settings.access_log:
        _write_access_lines()
    Server(start, socket.socket(fileno=listener), orders).run()


def _write_access_lines() -> None:
    """Let the access log go to standard error, each line as it is."""
    access = logging.getLogger("drivetrain.serve.access")
    access.setLevel(logging.INFO)
    access.propagate = False
    access.addHandler(logging.StreamHandler())


def _first_line(orders: socket.socket) -> bytes:
    """Read one line and not a byte more: what follows is read by the event loop."""
    text = bytearray()
    while not text.endswith(b"\n"):
        byte = orders.recv(1)
        if not byte:
            raise SystemExit(0)  # the parent is gone already
        text += byte
    return bytes(text)


if __name__ == "__main__":
    main(int(sys.argv[1]))
