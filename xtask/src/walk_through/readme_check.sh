# What must be true after the README's walk-through. Uses what that has defined.

get "$s" "/v1/wallets/$seller_address" | python3 -c '
import json, sys
balances = json.load(sys.stdin)["balances"]
paid = [(balance["available"], balance["held"]) for balance in balances]
assert paid == [("11880", "0")], f"the seller was not paid: {balances}"
'

# Backups may be a moment behind, on a busy machine a longer one.
for attempt in {1..300}; do
  agreed=$(curl -sSf "$api/v1/network" | python3 -c '
import json, sys
replicas = json.load(sys.stdin)["replicas"]
print(len(replicas), len({(replica["height"], replica["state_root"]) for replica in replicas}))
')
  [ "$agreed" = "4 1" ] && break
  sleep 0.2
done
[ "$agreed" = "4 1" ] || { echo "replicas, and states that they are in: $agreed" >&2; exit 1; }
echo "The seller is paid, and four replicas have one state."
