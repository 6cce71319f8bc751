"""A mail server for tests: aiosmtpd, told how to behave by a file, keeping what it accepts in another.

Called with a folder that holds settings.json. It writes a line of JSON to accepted.jsonl for each mail it
accepts, before anybody hears of it, and a line to `asked` for each it is shown. What it does with the next mail stands in the file `behaviour`:
`accept`; `later` (451); `refuse` (550); `lose` (accept it, and break the connection in place of the 250);
`hang` (accept it, and never answer).
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

folder = Path(sys.argv[1])
settings = json.loads((folder / "settings.json").read_text())


class Handler:
    def __init__(self):
        self.accepted = open(folder / "accepted.jsonl", "a", buffering=1)
        self.asked = open(folder / "asked", "a", buffering=1)

    async def handle_DATA(self, server, session, envelope):
        behaviour = (folder / "behaviour").read_text().strip()
        self.asked.write(behaviour + "\n")
        if behaviour == "later":
            return "451 4.3.0 ask again later"
        if behaviour == "refuse":
            return "550 5.1.1 nobody of that name"
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = [
            {"type": part.get_content_type(), "name": part.get_filename(), "bytes": len(part.get_payload(decode=True))}
            for part in message.walk()
            if not part.is_multipart()
        ]
        text = message.get_body(("plain",))
        html = message.get_body(("html",))
        self.accepted.write(
            json.dumps(
                {
                    "message_id": message["Message-ID"].strip("<>"),
                    "from": envelope.mail_from,
                    "to": envelope.rcpt_tos,
                    "subject": message["Subject"],
                    "headers": {name: str(value) for name, value in message.items()},
                    "text": text.get_content() if text else None,
                    "html": html.get_content() if html else None,
                    "parts": parts,
                    "encrypted": settings["tls"] == "tls" or session.ssl is not None,
                    "authenticated": bool(session.authenticated),
                }
            )
            + "\n"
        )
        if behaviour == "lose":
            server.transport.abort()
            await asyncio.sleep(3600)
        if behaviour == "hang":
            await asyncio.sleep(3600)
        return "250 2.0.0 accepted"


def authenticate(server, session, envelope, mechanism, data):
    user, password = settings["credentials"]
    known = (data.login, data.password) == (user.encode(), password.encode())
    return AuthResult(success=known, handled=known)


options = {}
if settings["tls"] != "none":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    if settings["tls"] == "starttls":
        options.update(tls_context=context, require_starttls=True)
    else:
        options.update(ssl_context=context)
if settings["credentials"]:
    options.update(authenticator=authenticate, auth_required=True, auth_require_tls=False)
controller = Controller(Handler(), hostname="127.0.0.1", port=settings["port"], **options)
controller.start()
(folder / "up").touch()
# It ends with whoever started it, however that went.
sys.stdin.read()
controller.stop()
