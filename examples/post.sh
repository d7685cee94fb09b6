#!/bin/sh
# Gives a player ten lumees, says it again as a caller does that lost the answer, and reads the balance.
#
# sh examples/post.sh KEY [http://127.0.0.1:7401]
#
# Needs buf: https://buf.build/docs/installation/, or what `cargo xtask setup` put into target/tools/node_modules/.bin.
set -eu
key=${1:?give a key: one for each intent, such as quest-7}
url=${2:-http://127.0.0.1:7401}

call() {
  buf curl --protocol grpc --http2-prior-knowledge --data "$2" "$url/auric.wallet.v1.WalletService/$1"
}

post='{
  "idempotencyKey": "'$key'",
  "legs": [{"playerId": "discord:1", "assetId": "lumees", "direction": "DIRECTION_CREDIT", "amount": "10"}],
  "reason": "quest.reward"
}'
call Post "$post"
# The same answer again: nothing moves. With --verbose its metadata says auric-replayed: true.
call Post "$post"
call GetBalances '{"playerIds": ["discord:1"], "assetIds": ["lumees"]}'
