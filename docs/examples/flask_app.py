"""A Flask application that sends mail while its client waits, by a smarthost: `flask --app flask_app run`."""

import os
from email.message import EmailMessage

from flask import Flask

import postroad

OPTIONS = postroad.SendOptions(
    smarthost=os.environ.get("SMARTHOST", "127.0.0.1:25"),
    timeout_s=20,
)

app = Flask(__name__)


@app.post("/report/<address>")
def report(address: str) -> tuple[dict[str, str], int]:
    """Send a report, and tell what became of it."""
    message = EmailMessage()
    message["From"] = "reports@example.net"
    message["Subject"] = "Your report"
    message.set_content("All is well.\n")
    try:
        message["To"] = address
        sent = postroad.send_sync(message, recipients=address, options=OPTIONS)  # one, even if To lists more
    except ValueError as problem:  # the address: an InputError, or that of `email` for a line end
        return {"error": str(problem)}, 422
    statuses = {"delivered": 200, "deferred": 503, "failed": 422}
    return {mailbox: outcome.text for mailbox, outcome in sent.outcomes.items()}, statuses[sent.result]
