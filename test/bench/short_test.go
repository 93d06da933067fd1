//go:build bench

// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// TestShort checks that all parts run, not what they measure.
func TestShort(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("there is no control plane: KUBEBUILDER_ASSETS is not set")
	}
	log.SetLogger(logr.Discard())
	o, err := parse([]string{"-short"})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(t.Context(), o, &out); err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if !strings.Contains(out.String(), "\n"+p.name) {
			t.Errorf("there is nothing of part %s in\n%s", p.name, &out)
		}
	}
}
