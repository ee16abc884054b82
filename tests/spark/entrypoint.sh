#!/bin/bash
# entrypoint.sh: what the image of a Spark executor starts, with the command line that Spark's Kubernetes backend expects of it.
set -euo pipefail
if [ "$1" != executor ]; then exec "$@"; fi
options=()
while IFS='=' read -r name _; do
	options+=("${!name}")
done < <(env | grep -E '^SPARK_JAVA_OPT_[0-9]+=' | sort -V)
exec /usr/bin/tini -s -- "$JAVA_HOME/bin/java" "${options[@]}" "-Xms$SPARK_EXECUTOR_MEMORY" "-Xmx$SPARK_EXECUTOR_MEMORY" \
	-cp "${SPARK_CONF_DIR:-/opt/spark/conf}:$SPARK_HOME/jars/*" org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend \
	--driver-url "$SPARK_DRIVER_URL" --executor-id "$SPARK_EXECUTOR_ID" --cores "$SPARK_EXECUTOR_CORES" --app-id "$SPARK_APPLICATION_ID" \
	--hostname "$SPARK_EXECUTOR_POD_IP" --resourceProfileId "$SPARK_RESOURCE_PROFILE_ID" --podName "$SPARK_EXECUTOR_POD_NAME"
