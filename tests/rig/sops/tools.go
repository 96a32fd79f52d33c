//go:build tools

// Package sops pins the program whose documents ours are held to; nothing imports it.
package sops

import (
	_ "github.com/getsops/sops/v3/cmd/sops"
)
