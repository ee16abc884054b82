//go:build tools

// Package tools names the peer that the benchmark runs beside.
package tools

import _ "k8s.io/node-problem-detector/cmd/nodeproblemdetector"
