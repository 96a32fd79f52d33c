//go:build tools

// Package tools pins the programs that the tests compare with; nothing imports it.
package tools

import (
	_ "helm.sh/helm/v4/cmd/helm"
	_ "sigs.k8s.io/kustomize/kustomize/v5"
)
