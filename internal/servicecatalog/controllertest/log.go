// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package controllertest

import (
	"context"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// RecordLog records the lines that are logged at the level that is always on. The function returns them, and forgets them.
func RecordLog(t *testing.T) (context.Context, func() string) {
	t.Helper()
	var lines []string
	logger := funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{})
	return log.IntoContext(t.Context(), logger), func() string {
		said := strings.Join(lines, "\n")
		lines = nil
		return said
	}
}
