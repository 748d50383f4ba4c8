"""A FastAPI application that was written without a thought of telemetry."""

import logging

from fastapi import FastAPI, HTTPException

app = FastAPI()
log = logging.getLogger("web_app")


@app.get("/price/{item}")
def price(item: str) -> dict:
    log.warning("price of %s asked", item)
    return {"item": item, "price": len(item)}


@app.get("/broken")
def broken() -> dict:
    raise RuntimeError("the price list is empty")


@app.get("/gone")
def gone() -> dict:
    raise HTTPException(404, "no such item")
