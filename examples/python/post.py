"""Gives a player ten lumees, says it again as a caller does that lost the answer, and reads the balance.

    post.py KEY [127.0.0.1:7401]

Everything here is from PyPI or generated from proto/; the rules are those of docs/calling.md.
"""

import random
import sys
import time

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from auric.wallet.v1 import wallet_pb2, wallet_service_pb2, wallet_service_pb2_grpc

PLAYER = "discord:1"
CALL_SECONDS = 20.0
ATTEMPT_SECONDS = 4.0
UNKNOWN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
REFUSED_FOR_NOW = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED)


def retry_info(error):
    """The seconds that the service wants to be left alone; None when it says nothing about trying again."""
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        info = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            return info.retry_delay.seconds + info.retry_delay.nanos / 1e9
    return None


def call(method, request):
    """Sends the same request, and so the same key, until there is an answer or the time is over."""
    deadline = time.monotonic() + CALL_SECONDS
    backoff = 0.02
    while True:
        left = deadline - time.monotonic()
        try:
            return method.with_call(request, timeout=min(left, ATTEMPT_SECONDS))
        except grpc.RpcError as error:
            asked = retry_info(error)
            if error.code() not in UNKNOWN and not (error.code() in REFUSED_FOR_NOW and asked is not None):
                raise
            pause = (asked or 0.0) + random.uniform(0.0, backoff)
            if pause >= deadline - time.monotonic():
                raise
        time.sleep(pause)
        backoff = min(2 * backoff, 1.0)


def main():
    if len(sys.argv) < 2:
        sys.exit("give a key: one for each intent, such as quest-7")
    key = sys.argv[1]
    target = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1:7401"
    with grpc.insecure_channel(target) as channel:
        wallet = wallet_service_pb2_grpc.WalletServiceStub(channel)
        leg = wallet_pb2.Leg(player_id=PLAYER, asset_id="lumees", direction=wallet_pb2.DIRECTION_CREDIT, amount=10)
        request = wallet_service_pb2.PostRequest(idempotency_key=key, legs=[leg], reason="quest.reward")
        # The second time is the same answer again: nothing moves.
        for _ in range(2):
            answer, about = call(wallet.Post, request)
            replayed = ("auric-replayed", "true") in about.initial_metadata()
            movement = answer.posted.movements[0]
            print(f"{movement.available_after} lumees, replayed: {str(replayed).lower()}")
        balances = wallet_service_pb2.GetBalancesRequest(player_ids=[PLAYER], asset_ids=["lumees"])
        read, _ = call(wallet.GetBalances, balances)
        print(f"balance: {read.balances[0].available}")


main()
