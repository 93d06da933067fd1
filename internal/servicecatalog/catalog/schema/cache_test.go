// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
)

func TestCacheForgetsWhatWasNotUsedForLongest(t *testing.T) {
	key := func(name string) [32]byte { return sha256.Sum256([]byte(name)) }
	c := newCache(3 * (1000 + overhead))
	a, b := c.get(key("a"), 1000), c.get(key("b"), 1000)
	c.get(key("c"), 1000)
	if c.get(key("a"), 1000) != a {
		t.Error("a was forgotten")
	}
	c.get(key("d"), 1000)
	if c.get(key("a"), 1000) != a {
		t.Error("a, which was just used, was forgotten")
	}
	if c.get(key("b"), 1000) == b {
		t.Error("b was kept")
	}
	if c.size > c.limit || c.recent.Len() != len(c.entries) || len(c.entries) != 3 {
		t.Errorf("%d schemas of %d bytes are kept", len(c.entries), c.size)
	}
	if c.get(key("e"), 1_000_000); len(c.entries) != 1 {
		t.Errorf("beside one that is too large alone, %d are kept", len(c.entries)-1)
	}
}

func TestSchemasAreCompiledOnce(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	var patterns []string
	for i := range 10 {
		patterns = append(patterns, fmt.Sprintf(`"^((a{1,30}){1,30}%d)$":{}`, i))
	}
	costly := []byte(`{"patternProperties":{` + strings.Join(patterns, ",") + `}}`)
	e := newCache(1).get([32]byte{}, 1)
	for try := 1; try <= maxTries+2; try++ {
		if _, err := e.compile(over, costly); !errors.Is(err, errTooCostly) || e.tries != min(try, maxTries) {
			t.Errorf("at try %d, of which %d were made, the error is %v", try, e.tries, err)
		}
	}
	broken := newCache(1).get([32]byte{}, 1)
	for range 2 {
		if _, err := broken.compile(t.Context(), []byte(`{"type":5}`)); err == nil || broken.tries != 1 {
			t.Errorf("after %d tries the error is %v", broken.tries, err)
		}
	}
	good := newCache(1).get([32]byte{}, 1)
	first, err := good.compile(t.Context(), []byte(`{"type":"object"}`))
	if again, _ := good.compile(over, nil); err != nil || again != first || good.tries != 1 {
		t.Errorf("after %d tries there is another: %v", good.tries, err)
	}
}

func TestNobodyWaitsLongerThanItsContext(t *testing.T) {
	for range maxConcurrent {
		running <- struct{}{}
		defer func() { <-running }()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	errs, warning := Validate(ctx, &runtime.RawExtension{Raw: []byte(`{"type":"object"}`)}, []byte(`{}`), Options{})
	if len(errs) > 0 || !strings.Contains(warning, "too many others") {
		t.Errorf("the warning is %q, the errors %v", warning, errs)
	}
}
