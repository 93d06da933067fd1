// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package command_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/apitest"
)

// A dry run creates nothing, whatever its response is.
func TestDryRunWithoutResponse(t *testing.T) {
	for args, isUnknown := range map[string]bool{"page text": true, "page text --dry-run=server": false} {
		s := apitest.New(t)
		s.Before = func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusGatewayTimeout)
			return true
		}
		if out, code := s.Run(t, "", args); code != 1 || strings.Contains(out, "it is not known whether") != isUnknown {
			t.Errorf("%s: exit code %d:\n%s", args, code, out)
		}
	}
}
