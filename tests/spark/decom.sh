#!/bin/bash
# decom.sh: the preStop hook that Spark gives to its executors with spark.decommission.enabled: SIGPWR, then as long as it takes.
executor=$(pgrep -o -x java) || exit 0
kill -s PWR "$executor"
timeout 25 tail --pid="$executor" -f /dev/null
