"""A FastAPI application whose answer means that the mail is durable: `uvicorn fastapi_app:app`.

A relay on the same spool delivers it (`postroad relay`), also if it is started later.
"""

import os
from email.message import EmailMessage

from fastapi import FastAPI, HTTPException

import postroad

SPOOL = os.environ.get("POSTROAD_SPOOL", "/var/spool/postroad")

app = FastAPI()


@app.post("/welcome/{address}", status_code=202)
async def welcome(address: str) -> dict[str, str]:
    """Welcome somebody who has just signed up."""
    message = EmailMessage()
    message["From"] = "Our Shop <shop@example.net>"
    message["Subject"] = "Welcome"
    message.set_content("You are in.\n")
    try:
        queued = await postroad.enqueue(message, recipients=address, spool=SPOOL)
    except postroad.InputError as problem:  # the address: a fault of the client
        raise HTTPException(422, "no mail can be sent to this address") from problem
    except postroad.SpoolError as problem:  # a full disk: ask again later
        raise HTTPException(503, "mail is not taken now, try again later") from problem
    return {"id": queued.id}
