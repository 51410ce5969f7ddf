"""Mail server for the tests: real SMTP (RFC 5321) on the loopback interface, that answers as it is told."""

import base64
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

_USUAL = {
    "": "220 ready",
    "EHLO": "250-here\r\n250 AUTH PLAIN",
    "AUTH": "235 welcome",
    "DATA": "354 go on",
    "QUIT": "221 bye",
}


@dataclass(frozen=True, slots=True)
class Received:
    """One message: the envelope, and what was sent. login: user and password, "" without."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    login: str


@dataclass
class Mailbox:
    """Plan of the server, and what it has taken. answers: instead of the usual ones, by command ("" for the greeting,
    "." for the end of a message). delay_s: before each answer. is_silent: it takes connections and says nothing.
    is_gone_after: it hangs up after having taken a message.
    """

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    is_silent: bool = False
    is_gone_after: bool = False
    connections: int = 0
    received: list[Received] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    ended: threading.Event = field(default_factory=threading.Event)

    def wait_for_connection(self, timeout_s: float = 60) -> None:
        """Wait until somebody has connected."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.connections > 0, timeout_s)


@contextmanager
def smtp_server(**plan: object) -> Iterator[Mailbox]:
    """Serve until the block ends."""
    mailbox = Mailbox(**plan)  # type: ignore[arg-type]
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _handler(mailbox))
    server.daemon_threads = False
    mailbox.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield mailbox
    finally:
        mailbox.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(plan: Mailbox) -> type["_Handler"]:
    class Handler(_Handler):
        mailbox = plan

    return Handler


class _Handler(socketserver.StreamRequestHandler):
    mailbox: Mailbox
    timeout = 30
    sender = login = ""

    def handle(self) -> None:
        self.recipients: list[str] = []
        with self.mailbox.changed:
            self.mailbox.connections += 1
            self.mailbox.changed.notify_all()
        if self.mailbox.is_silent:
            self.mailbox.ended.wait(60)
            return
        with suppress(OSError):
            is_open = self.say("")
            while is_open and (line := self.rfile.readline()):
                is_open = self.answer(line.decode().strip())

    def say(self, command: str) -> bool:
        """Answer; return whether the connection goes on."""
        self.mailbox.ended.wait(self.mailbox.delay_s)
        told = self.mailbox.answers.get(command, _USUAL.get(command, "250 ok"))
        self.wfile.write(f"{told}\r\n".encode())
        return not told.startswith(("421", "221"))

    def answer(self, line: str) -> bool:
        command, _, rest = line.partition(" ")
        address = rest.partition("<")[2].partition(">")[0]
        if command == "AUTH":
            self.login = base64.b64decode(rest.split()[1]).decode().replace("\0", " ").strip()
        elif command.upper() == "MAIL":
            self.sender = address
        elif command.upper() == "RCPT":
            self.recipients.append(address)
        is_open = self.say(command.upper())
        return self.take() if command.upper() == "DATA" and "DATA" not in self.mailbox.answers else is_open

    def take(self) -> bool:
        lines = list(iter(self.rfile.readline, b".\r\n"))
        if "." not in self.mailbox.answers:
            parsed = message_from_bytes(b"".join(lines), policy=policy.default)
            self.mailbox.received.append(Received(self.sender, self.recipients, parsed, self.login))
        return self.say(".") and not self.mailbox.is_gone_after
