//go:build tools

// Package flux pins the command line that people reconcile with; nothing imports it.
package flux

import (
	_ "github.com/fluxcd/flux2/v2/cmd/flux"
)
