#!/bin/bash
# Makes tocsin's topics where they are not there: topics.sh BOOTSTRAP
set -euo pipefail

readonly PARTITIONS=3
create() { # TOPIC [CONFIG...]
  local topic=$1 config
  local -a configs=()
  shift
  for config in "$@"; do configs+=(--config "$config"); done
  /opt/kafka/bin/kafka-topics.sh --bootstrap-server "$bootstrap" --create --if-not-exists --topic "$topic" \
    --partitions "$PARTITIONS" --replication-factor 1 "${configs[@]}"
}

bootstrap=$1
create agent.events
create tocsin.findings
create tocsin.control
create tocsin.requests
create tocsin.dead-letter
create tocsin.incidents cleanup.policy=compact
create tocsin.judgements cleanup.policy=compact
