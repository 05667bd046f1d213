"""Visitors who have come, asked once, and keep their connection without a word."""

import socket

# Connections of one address, so that no address has more than its share.
OF_ONE_ADDRESS = 500
# They come so many at a time.
BATCH = 50
PATIENCE = 2
# The share that must still be connected for a crowd to be one.
ENOUGH = 0.9
REQUEST = b"GET /public/login.html HTTP/1.1\r\nHost: crowd\r\n\r\n"


class Crowd:
    """Connected until its `with` ends."""

    def __init__(self, port, size):
        self.sockets = []
        for first in range(0, size, BATCH):
            batch = range(first, min(first + BATCH, size))
            if not self.come(port, batch):
                break

    def come(self, port, batch):
        """Whether all of a batch were let in and answered."""
        try:
            came = [connect(port, number) for number in batch]
            self.sockets.extend(came)
            for visitor in came:
                visitor.sendall(REQUEST)
            return all([visitor.recv(65536) for visitor in came])
        except OSError:
            return False

    def is_there(self, size):
        """Whether the server has kept nearly all of them."""
        return sum(map(is_connected, self.sockets)) >= size * ENOUGH

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for visitor in self.sockets:
            visitor.close()


def connect(port, number):
    visitor = socket.socket()
    visitor.settimeout(PATIENCE)
    visitor.bind((f"127.0.0.{2 + number // OF_ONE_ADDRESS}", 0))
    visitor.connect(("127.0.0.1", port))
    return visitor


def is_connected(visitor):
    visitor.setblocking(False)
    try:
        # What is left of an answer is read; nothing at all means that it was closed.
        while rest := visitor.recv(65536):
            pass
        return bool(rest)
    except BlockingIOError:
        return True
    except OSError:
        return False
