/* names.h - the names other people build on (docs/contract.md). One constant each. */
#pragma once

#define STOKER_PREFIX	     "stoker.dev/"
#define STOKER_API_VERSION   STOKER_PREFIX "v1alpha1"
#define STOKER_TAINT_KEY     STOKER_PREFIX "unhealthy"
/* For clusters with an autoscaler: it does not take it for a property of the node group. */
#define STOKER_STATUS_TAINT_KEY "status-taint.cluster-autoscaler.kubernetes.io/stoker-unhealthy"
#define STOKER_STORAGE_READY STOKER_PREFIX "StorageReady"
#define STOKER_CHECKPOINT_READY STOKER_PREFIX "CheckpointReady"

#define STOKER_HOLD_UNTIL    STOKER_PREFIX "hold-until" /* annotation of a node: RFC 3339 */
#define STOKER_NAMESPACE     "stoker-system"
#define STOKER_BRAKE_LEASE   "stoker-brake-" /* and a number */

#define STOKER_CONFIG_PATH "/etc/stoker/stoker.yaml"
#define STOKER_RUNTIME_DIR "/run/stoker"

#define STOKER_CSI_DRIVER  "csi.stoker.dev"
#define STOKER_CSI_SOCKET  "plugins/" STOKER_CSI_DRIVER "/csi.sock" /* beneath the kubelet's root */
#define STOKER_NRI_SOCKET  "/var/run/nri/nri.sock" /* the container runtime's: NRI's own default */

/* Beneath the runtime directory: one subdirectory per link, so that a container mounts only its own. */
#define STOKER_BROKER_DIR      "broker"
#define STOKER_BROKER_SOCKET   "broker/broker.sock"
#define STOKER_REPORTER_DIR    "reporter"
#define STOKER_REPORTER_SOCKET "reporter/reporter.sock"
#define STOKER_HTTP_SOCKET     "stoker.sock"
#define STOKER_STATE_FILE      "state.json"
#define STOKER_DEATHS_FILE     "deaths.json"

/* Bounds that several floors share (bytes with NUL). */
#define NAME_NODE_BYTES	  254  /* RFC 1123 subdomain */
#define NAME_PATH_BYTES	  1024 /* a watched path or a mount point */
#define NAME_REASON_BYTES 64
#define NAME_TAINT_BYTES  318 /* prefix 253 + '/' + name 63 */
