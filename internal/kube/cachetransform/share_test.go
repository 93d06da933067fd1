// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cachetransform

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
)

// thing is an object as others are, with all that is shared.
type thing struct {
	metav1.ObjectMeta
	By, ConfirmedBy *who
	Parameters      *runtime.RawExtension
	Conditions      []metav1.Condition
	Since           *metav1.Time
}

type who struct {
	Name   string
	Groups []string
	Extra  map[string][]string
	Age    int64
	Human  bool
}

// newThing is one as it is decoded.
func newThing(name, user string, at time.Time) *thing {
	by := func() *who {
		return &who{Name: user, Groups: []string{"a", "b"}, Extra: map[string][]string{"key": {user}}, Age: 7, Human: true}
	}
	return &thing{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"user": user}, Finalizers: []string{"x"}},
		By:         by(), ConfirmedBy: by(),
		Parameters: &runtime.RawExtension{Raw: []byte(`{"user":"` + user + `"}`)},
		Conditions: []metav1.Condition{{Type: "Ready", LastTransitionTime: metav1.NewTime(at)}},
		Since:      &metav1.Time{Time: at},
	}
}

// same says whether two maps are one in memory.
func same[K comparable, V any](a, b map[K]V) bool {
	return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
}

// TestObjectsOfACacheShareWhatIsEqual: but for two parts that have one slot by chance, which another seed separates.
func TestObjectsOfACacheShareWhatIsEqual(t *testing.T) {
	var missing []string
	for range 5 {
		if missing = notShared(t, Share(Strip("Kept"))); len(missing) == 0 {
			return
		}
	}
	t.Errorf("not shared, with five seeds: %q", missing)
}

// notShared returns what objects of a cache do not share, although it is equal. It fails where they share what is not.
func notShared(t *testing.T, share cache.TransformFunc) (missing []string) {
	t.Helper()
	now := time.Unix(1e9, 0)
	cached := func(name, user string, at time.Time) *thing {
		o, was := newThing(name, user, at), newThing(name, user, at)
		if shared, err := share(o); err != nil || !reflect.DeepEqual(shared, was) {
			t.Fatalf("it is %+v (%v), and was %+v", shared, err, was)
		}
		return o
	}
	first, second, other := cached("1", "ann", now), cached("2", "ann", now), cached("3", "bob", now.Add(time.Hour))
	for what, shared := range map[string]struct{ equal, different bool }{
		"who has asked, in one object": {first.By == first.ConfirmedBy && other.By == other.ConfirmedBy, false},
		"who has asked":                {first.By == second.By, first.By == other.By},
		"labels":                       {same(first.Labels, second.Labels), same(first.Labels, other.Labels)},
		"finalizers":                   {&first.Finalizers[0] == &second.Finalizers[0] && &first.Finalizers[0] == &other.Finalizers[0], false},
		"parameters":                   {first.Parameters == second.Parameters, first.Parameters == other.Parameters},
		"conditions":                   {&first.Conditions[0] == &second.Conditions[0], &first.Conditions[0] == &other.Conditions[0]},
		"times":                        {first.Since == second.Since, first.Since == other.Since},
	} {
		if shared.different {
			t.Errorf("%s: shared although different", what)
		}
		if !shared.equal {
			missing = append(missing, what)
		}
	}
	return missing
}

// TestSharedIsOnlyWhatIsEqual: with thousands of others in between, too, and where sums are
// alike.
func TestSharedIsOnlyWhatIsEqual(t *testing.T) {
	s := newSharer()
	for i := range 3 * slots {
		at := time.Unix(int64(i), 0) // which is in no sum
		name, user := string(rune('a'+i%7)), time.Duration(i%5000).String()
		o, was := newThing(name, user, at), newThing(name, user, at)
		if s.share(o); !reflect.DeepEqual(o, was) {
			t.Fatalf("it is %+v, and was %+v", o, was)
		}
	}
}

// TestWhatIsLargeIsNotKept: a sharer takes at most a few MiB, whatever objects have.
// F-P21: what is shared is bound by bytes, not by number only.
func TestWhatIsLargeIsNotKept(t *testing.T) {
	s := newSharer()
	text := func(size int) func() *who { return func() *who { return &who{Name: strings.Repeat("x", size)} } }
	groups := func(n int) func() *who {
		return func() *who { return &who{Groups: slices.Repeat([]string{strings.Repeat("g", 100)}, n)} }
	}
	for name, test := range map[string]struct {
		of   func() *who
		want bool
	}{
		"a text":       {text(maxText), true},
		"a large text": {text(maxPart + 1), false},
		"a list":       {groups(5), true},
		"a large list": {groups(20), false},
	} {
		one, other := &thing{By: test.of()}, &thing{By: test.of()}
		s.share(one)
		s.share(other)
		if got := one.By == other.By; got != test.want {
			t.Errorf("%s is shared: %t", name, got)
		}
	}
}

func BenchmarkShare(b *testing.B) {
	share := Share(Strip("Kept"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := share(newThing("1", "ann", time.Unix(1e9, 0))); err != nil {
			b.Fatal(err)
		}
	}
}
