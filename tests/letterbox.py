"""A real mail server for tests: it speaks SMTP, keeps what it is given, and refuses addresses that ask for it."""

from __future__ import annotations

import contextlib
import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def mail_server() -> Iterator[MailServer]:
    """A server that takes letters until the end of the block."""
    with MailServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


class MailServer(socketserver.ThreadingTCPServer):
    """Takes letters as a mail server does, and keeps them."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        self.letters = []
        self.busy = 0
        """Recipients that are put off before one is taken."""
        super().__init__(("127.0.0.1", 0), MailConversation)

    @property
    def address(self):
        return f"127.0.0.1:{self.server_address[1]}"


class MailConversation(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())

    def handle(self):
        self.say("220 here")
        recipients = []
        while line := self.rfile.readline().decode().strip():
            word = line.split()[0].upper()
            if word == "DATA":
                self.say("354 go on")
                lines = []
                while (text := self.rfile.readline()) != b".\r\n":
                    lines.append(text[1:] if text.startswith(b".") else text)
                message = email.message_from_bytes(b"".join(lines).replace(b"\r\n", b"\n"), policy=email.policy.default)
                self.server.letters.append((recipients, message))
                self.say("250 taken")
            elif word == "QUIT":
                self.say("221 bye")
                return
            else:
                if word == "RCPT":
                    recipients.append(line.partition(":")[2].strip("<> "))
                if word == "RCPT" and self.server.busy:
                    self.server.busy -= 1
                    self.say("451 later")
                else:
                    self.say("550 no" if "refused@" in line else "250 yes")
