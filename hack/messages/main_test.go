// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"testing"
	"testing/fstest"
)

func TestTextsOfUsersAreFound(t *testing.T) {
	const source = `package p

type tagged struct{ Field string ` + "`json:\"no text at all\"`" + ` }

func f(name string) (string, error) {
	log.Info("The operator has started", "some key of it", name)
	if name == "" {
		panic("not for any user")
	}
	set.Message = "The broker refused " + name + ": " + other
	set.Hint = fmt.Sprintf("%q is kept for %d days", name, 3)
	set.Rest = "; 100%% of them are kept"
	return "two words", fmt.Errorf("reading what others wrap: %w", err)
}
`
	texts, err := textsIn(fstest.MapFS{"p.go": {Data: []byte(source)}, "p_test.go": {Data: []byte(`package p; var _ = "not of any test"`)}})
	if want := []string{"The broker refused …: …", "… is kept for … days", "…; 100% of them are kept"}; err != nil || !slices.Equal(texts, want) {
		t.Errorf("got %q, %v, want %q", texts, err, want)
	}
}
