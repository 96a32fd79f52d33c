//go:build tools

// Package s3 pins the S3 server that the tests read buckets of; nothing imports it.
package s3

import (
	_ "github.com/versity/versitygw/cmd/versitygw"
)
