// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"regexp"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

const someID = "9a1d6b1e-6f0c-4a53-8a5f-3b7f3e0a4a11"

func TestIsOurs(t *testing.T) {
	made := time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600))
	record := catalog.MadeID(someID, made)
	if want := someID + " 2026-03-01T11:00:00Z"; record != want {
		t.Fatalf("the record is %q, want %q", record, want)
	}
	for _, c := range []struct {
		why            string
		record, id     string
		created        time.Time
		recorded, ours bool
	}{
		{"made with the object", record, someID, made, true, true},
		{"clocks differ a little", record, someID, made.Add(5 * time.Minute), true, true},
		{"also the other way", record, someID, made.Add(-5 * time.Minute), true, true},
		{"a restored or copied object", record, someID, made.Add(5*time.Minute + time.Second), true, false},
		{"a record from the future", record, someID, made.Add(-5*time.Minute - time.Second), true, false},
		{"not stored yet", record, someID, time.Time{}, true, false},
		{"another id", record, "other", made, false, false},
		{"no id", record, "", made, false, false},
		{"neither", " 2026-03-01T11:00:00Z", "", made, false, false},
		{"no record", "", someID, made, false, false},
		{"no time", someID, someID, made, false, false},
		{"no time that can be read", someID + " yesterday", someID, made, false, false},
		{"more than a time", record + " ", someID, made, false, false},
		{"an id that begins alike", someID + "x 2026-03-01T11:00:00Z", someID, made, false, false},
	} {
		obj := &v1beta1.ServiceInstance{}
		obj.CreationTimestamp = metav1.NewTime(c.created)
		if c.record != "" {
			obj.Annotations = map[string]string{v1beta1.MadeIDAnnotation: c.record}
		}
		if recorded, ours := catalog.RecordsID(obj, c.id), catalog.IsOurs(obj, c.id); recorded != c.recorded || ours != c.ours {
			t.Errorf("%s: recorded %t, ours %t; want %t, %t", c.why, recorded, ours, c.recorded, c.ours)
		}
	}
}

var isUUID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[45][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestNewID(t *testing.T) {
	if a, b := catalog.NewID(), catalog.NewID(); a == b || !isUUID.MatchString(a) {
		t.Errorf("new ids are %q and %q", a, b)
	}
}

func TestNextID(t *testing.T) {
	// It must never change: an id that was recorded is only found again if it is.
	if got, want := catalog.NextID("uid-1", someID, 1), "58761efd-dd9c-5813-8cf4-a71b17195d4b"; got != want {
		t.Errorf("the next id is %q, want %q", got, want)
	}
	seen := map[string]bool{}
	for _, uid := range []types.UID{"uid-1", "uid-2"} {
		for _, id := range []string{someID, "my id"} {
			for n := range int32(100) {
				next := catalog.NextID(uid, id, n)
				if seen[next] || !isUUID.MatchString(next) {
					t.Errorf("id %d of %s and %q is %q", n, uid, id, next)
				}
				seen[next] = true
				if !catalog.IsNextID(uid, id, next) || catalog.IsNextID("uid-3", id, next) || catalog.IsNextID(uid, "other", next) {
					t.Errorf("%q is the next id of %s and %q, and of nothing else", next, uid, id)
				}
			}
		}
	}
	if last := catalog.NextID("uid-1", someID, catalog.NextNumbers); !catalog.IsNextID("uid-1", someID, last) {
		t.Errorf("%q, of the highest number, is no next id", last)
	}
	for _, stranger := range []string{"", "my id", someID, "58761efd", "58761EFD-DD9C-5813-8CF4-A71B17195D4B"} {
		if catalog.IsNextID("uid-1", someID, stranger) {
			t.Errorf("%q is no next id", stranger)
		}
	}
}
