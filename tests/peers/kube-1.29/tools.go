//go:build tools

// Package tools names the real components that the tests build and start.
package tools

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
)
