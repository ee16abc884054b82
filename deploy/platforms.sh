# shellcheck shell=bash
# shellcheck disable=SC2034 # load and kubectl are for who sources it
# platforms.sh - sourced by deploy/install and deploy/uninstall: how an image file gets onto the nodes of each platform, and its kubectl.
# CLUSTER is --cluster (k3d, kind) or the profile (minikube).

stoker_platforms="k3d k3s microk8s minikube kind rancher-desktop containerd context"

# stoker_platform NAME CLUSTER: sets load (a command that takes the image file as its last word; empty = nothing to do) and kubectl
stoker_platform() {
	local cluster=$2
	kubectl=(kubectl)
	case $1 in
	k3d) load=(k3d image import -c "${cluster:-k3s-default}") kubectl=(kubectl --context "k3d-${cluster:-k3s-default}") ;;
	k3s) load=(k3s ctr images import) kubectl=(k3s kubectl) ;;
	microk8s) load=(microk8s ctr image import) kubectl=(microk8s kubectl) ;;
	minikube) load=(minikube -p "${cluster:-minikube}" image load) kubectl=(minikube -p "${cluster:-minikube}" kubectl --) ;;
	kind) load=(kind load image-archive --name "${cluster:-kind}") kubectl=(kubectl --context "kind-${cluster:-kind}") ;;
	rancher-desktop) load=(nerdctl -n k8s.io load -i) ;;
	# this machine is the node: containerd's own client; CONTAINERD_ADDRESS names another socket
	containerd) load=(ctr -n k8s.io images import) ;;
	# any context of kubectl; the image is where the nodes can pull it (--image)
	context) load=() ;;
	*)
		echo "deploy/${0##*/}: '$1' is no platform; there are: $stoker_platforms; see deploy/${0##*/} --help" >&2
		return 64
		;;
	esac
}

# Tools by name, with a hint when one is missing.
stoker_need() {
	command -v "$1" >/dev/null || { echo "deploy/${0##*/}: '$1' is not in PATH; the platform '$2' needs it" >&2; return 1; }
}
