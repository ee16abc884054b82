//go:build tools

// Package tools names the real components that the tests build and start.
package tools

import _ "go.etcd.io/etcd/server/v3"
