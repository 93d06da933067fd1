// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"testing"
	"time"
)

// SetTimeout sets how long a check may take, until the end of a test.
func SetTimeout(t testing.TB, d time.Duration) {
	before := timeout
	timeout = d
	t.Cleanup(func() { timeout = before })
}
