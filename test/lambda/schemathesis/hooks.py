"""What OpenAPI can't say of parameters: valid requests are made to follow it."""

import uuid

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or case.meta.generation.mode.value != "positive":
        return
    # Each request has a key of its own: another one under a key that was used is refused.
    if case.headers and "idempotency-key" in case.headers:
        case.headers["idempotency-key"] = str(uuid.uuid4())
    query = case.query or {}
    # Only an answer gives a cursor.
    query.pop("cursor", None)
    # `to` is later than `from`.
    if "from" in query:
        query.pop("to", None)
    # An account or a symbol is needed.
    if case.operation.path == "/positions" and not {"account", "symbol"} & set(query):
        query["symbol"] = "ACME"
    case.query = query
