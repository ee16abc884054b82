//go:build tools

// Package tools names the real components that the tests build and start.
package tools

import (
	_ "sigs.k8s.io/cri-tools/cmd/crictl"
)
