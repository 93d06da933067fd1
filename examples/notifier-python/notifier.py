"""A server for receivers of the kind grpc, which prints each message once. A real one passes it on to a service."""

import argparse
import concurrent.futures
import hmac
import logging
import os
import pathlib
import secrets
import signal
import sqlite3
import sys
import time

import grpc

import google_rpc_pb2
from bellhop.notifier.v1 import notifier_pb2, notifier_pb2_grpc

LIMIT = 10_000  # characters of a content; a real service has a limit too
KEEP = 24 * 60 * 60  # seconds for which a delivery key is kept: a repeat may arrive as late
EVENTS = {notifier_pb2.EVENT_FIRED: "fired", notifier_pb2.EVENT_UPDATED: "updated", notifier_pb2.EVENT_RESOLVED: "resolved"}
SEVERITIES = {notifier_pb2.SEVERITY_WARNING: "warning", notifier_pb2.SEVERITY_CRITICAL: "critical"}


class Refused(Exception):
    """The service can never take this message."""


def deliver(request):
    """Delivers a message, and returns the service's id of it, a string."""
    if len(request.content) > LIMIT:
        raise Refused(f"the content has {len(request.content)} characters, at most {LIMIT} can be sent")
    channel = request.parameters.get("channel", "general")
    severity = SEVERITIES.get(request.severity, "info")  # also one of a later version
    alert = f"{request.namespace}/{request.name}"
    print(f"#{channel} {EVENTS[request.event]} {severity} {alert} {request.title!r} {request.content!r}", flush=True)
    return secrets.token_hex(8)


class Notifier(notifier_pb2_grpc.NotifierServicer):
    def __init__(self, token, keys):
        self.token = token
        self.keys = sqlite3.connect(keys, check_same_thread=False)
        self.keys.execute("CREATE TABLE IF NOT EXISTS delivered (key TEXT PRIMARY KEY, id TEXT, time REAL)")

    def Notify(self, request, context):
        self.authorize(context)
        row = self.keys.execute("SELECT id FROM delivered WHERE key = ?", [request.delivery_key]).fetchone()
        if row:
            return notifier_pb2.NotifyResponse(external_id=row[0], note="delivered before")
        if request.event not in EVENTS:  # of a later version
            return notifier_pb2.NotifyResponse(note="unknown event")
        try:
            external_id = deliver(request)
        except Refused as error:
            refuse(context, str(error))
        except OSError as error:  # the service cannot be reached
            context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        with self.keys:  # a transaction
            self.keys.execute("DELETE FROM delivered WHERE time < ?", [time.time() - KEEP])
            self.keys.execute("INSERT INTO delivered VALUES (?, ?, ?)", [request.delivery_key, external_id, time.time()])
        return notifier_pb2.NotifyResponse(external_id=external_id)

    def Probe(self, request, context):
        self.authorize(context)
        return notifier_pb2.ProbeResponse()

    def authorize(self, context):
        sent = dict(context.invocation_metadata()).get("authorization", "")
        if self.token and not hmac.compare_digest(sent.encode(), f"Bearer {self.token}".encode()):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token is not valid")


def refuse(context, message):
    """Ends a call with the one error after which Bellhop does not repeat the message."""
    status = google_rpc_pb2.Status(code=grpc.StatusCode.INVALID_ARGUMENT.value[0], message=message)
    info = google_rpc_pb2.ErrorInfo(domain="notifier.bellhop.gophernetes.io", reason="REFUSED")
    status.details.add().Pack(info)
    context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
    context.abort(grpc.StatusCode.INVALID_ARGUMENT, message)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", default="0.0.0.0:8443", help="address to listen at")
    parser.add_argument("--cert", type=pathlib.Path, required=True, help="file of the server's certificate, in PEM")
    parser.add_argument("--key", type=pathlib.Path, required=True, help="file of its key, in PEM")
    parser.add_argument("--client-ca", type=pathlib.Path, help="file of the authority of required client certificates")
    parser.add_argument("--keys", default="delivered.db", help="file of the delivery keys")
    args = parser.parse_args()
    logging.basicConfig()  # prints the stack of an exception, which grpc logs
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before the first thread, for sigwait
    # One thread handles the calls in the order in which they arrive, also two calls with the same key.
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=1)
    server = grpc.server(pool, options=[("grpc.so_reuseport", 0)])  # a second server at the port fails, instead of taking half of the calls
    notifier_pb2_grpc.add_NotifierServicer_to_server(Notifier(os.environ.get("TOKEN"), args.keys), server)
    pair = args.key.read_bytes(), args.cert.read_bytes()
    ca = args.client_ca and args.client_ca.read_bytes()
    credentials = grpc.ssl_server_credentials([pair], ca, require_client_auth=bool(ca))
    port = server.add_secure_port(args.listen, credentials)
    server.start()
    print(f"listening at {args.listen.rpartition(':')[0]}:{port}", file=sys.stderr, flush=True)
    signal.sigwait(signals)
    server.stop(grace=10).wait()


if __name__ == "__main__":
    main()
