// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/internal/kube/admission"
)

// reviewer permits what permits says of a namespace and a name, and records both.
func reviewer(asked *[]string, permits func(namespace, name string) bool) admission.Reviewer {
	return admission.NewReviewer(interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{
		Create: func(_ context.Context, _ client.WithWatch, obj client.Object, _ ...client.CreateOption) error {
			review := obj.(*authorizationv1.SubjectAccessReview)
			a := review.Spec.ResourceAttributes
			*asked = append(*asked, a.Namespace+"/"+a.Name)
			review.Status.Allowed = a.Verb == "get" && a.Resource == "secrets" && permits(a.Namespace, a.Name)
			if a.Name == "unknown" {
				return errors.New("no answer")
			}
			return nil
		},
	}))
}

// uses returns n Secrets in each of the namespaces, each twice.
func uses(n int, namespaces ...string) (all []admission.SecretUse) {
	for _, namespace := range namespaces {
		for i := range 2 * n {
			all = append(all, admission.SecretUse{
				Secret: types.NamespacedName{Namespace: namespace, Name: fmt.Sprintf("s%d", i/2)},
				Path:   field.NewPath("spec", "from").Index(len(all)),
			})
		}
	}
	return all
}

// F-S60: a request makes at most 32 access reviews, whatever its object has, and the first refusal ends them.
func TestAccessReviewsAreBounded(t *testing.T) {
	many := make([]string, 40)
	for i := range many {
		many[i] = fmt.Sprintf("ns%d", i)
	}
	everything := func(string, string) bool { return true }
	byName := func(_, name string) bool { return name != "" }
	for _, c := range []struct {
		name    string
		uses    []admission.SecretUse
		permits func(namespace, name string) bool
		asked   int
		first   string // what is asked first
		refused []string
	}{
		{"none", nil, everything, 0, "", nil},
		{"a few, each once", uses(4, "ns"), everything, 4, "ns/s0", nil},
		{"more, permitted by one review", uses(20_000, "ns"), everything, 1, "ns/", nil},
		{"more, permitted one by one", uses(31, "ns"), byName, 32, "ns/", nil},
		{"more than one by one", uses(32, "ns"), byName, 1, "ns/",
			[]string{"spec.from[62]: Forbidden", `32 Secrets would be used, and "alice" may get at most 31 one by one`, `permit the user to get all Secrets in namespace "ns"`}},
		{"the first of few is refused", uses(4, "ns"), func(string, string) bool { return false }, 1, "ns/s0",
			[]string{"spec.from[0]: Forbidden", `"alice" may not get Secret "s0" in namespace "ns", so they may not have it sent either`}},
		{"the second of more is refused", uses(9, "ns"), func(_, name string) bool { return name == "s0" }, 3, "ns/", []string{"spec.from[2]: Forbidden", `Secret "s1"`}},
		{"more namespaces, permitted by one review", uses(50, many...), func(namespace, _ string) bool { return namespace == "" }, 1, "/", nil},
		{"two namespaces, permitted by two", uses(50, many[:2]...), everything, 2, "ns0/", nil},
		{"one namespace is permitted, a few Secrets of another one by one", append(uses(50, "ns"), uses(3, "other")...),
			func(namespace, name string) bool { return namespace == "ns" || name != "" }, 4, "ns/", nil},
		{"more namespaces, permitted one by one", uses(1, many...), byName, 1, "/", []string{"40 Secrets would be used", "permit the user to get all Secrets in their namespaces"}},
		{"more namespaces, each permitted", uses(5, many...), func(namespace, _ string) bool { return namespace != "" }, 32, "/", []string{"at most 0 one by one"}},
		{"no answer", []admission.SecretUse{{Secret: types.NamespacedName{Namespace: "ns", Name: "unknown"}, Path: field.NewPath("spec")}}, everything, 1, "ns/unknown",
			[]string{"spec: Internal error", `asking whether "alice" may get the Secret: no answer`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked []string
			ctx := ctrladmission.NewContextWithRequest(t.Context(), ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
				UserInfo: authenticationv1.UserInfo{Username: "alice", Extra: map[string]authenticationv1.ExtraValue{"scopes": {"a"}}}}})
			err := reviewer(&asked, c.permits).MayGetSecrets(ctx, c.uses)
			if len(asked) != c.asked || c.asked > 0 && asked[0] != c.first || len(slices.Compact(slices.Sorted(slices.Values(asked)))) != len(asked) {
				t.Errorf("%d reviews, of %v, want %d from %q on, each once", len(asked), asked, c.asked, c.first)
			}
			if (err == nil) != (c.refused == nil) {
				t.Fatalf("refused with %v, want %q", err, c.refused)
			}
			for _, part := range c.refused {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in %q", part, err)
				}
			}
		})
	}
	if err := reviewer(new([]string), everything).MayGetSecret(t.Context(), types.NamespacedName{Name: "s"}, field.NewPath("spec")); err == nil {
		t.Error("permitted without a request")
	}
}

// F-S60: the reviews of all requests in flight are bounded, and one namespace with many of them delays no other. A request that is given up
// while it waits makes none.
func TestReviewsHaveTurnsByNamespace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		apiServer := admission.WithCaller(t.Context(), admission.Caller{IsAPIServer: true})
		var mu sync.Mutex
		running, most, total := map[string]int{}, map[string]int{}, map[string]int{}
		count := func(user string, n int) {
			mu.Lock()
			defer mu.Unlock()
			for _, key := range []string{user, "all"} {
				running[key] += n
				most[key] = max(most[key], running[key])
				total[key] += max(n, 0)
			}
		}
		access := admission.NewReviewer(interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{
			Create: func(_ context.Context, _ client.WithWatch, obj client.Object, _ ...client.CreateOption) error {
				review := obj.(*authorizationv1.SubjectAccessReview)
				count(review.Spec.User, 1)
				defer count(review.Spec.User, -1)
				time.Sleep(time.Second)
				review.Status.Allowed = review.Spec.ResourceAttributes.Name != ""
				return nil
			},
		}))
		var requests sync.WaitGroup
		ask := func(ctx context.Context, namespace string, n int, done func(*field.Error)) {
			ctx = ctrladmission.NewContextWithRequest(ctx, ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
				Namespace: namespace, UserInfo: authenticationv1.UserInfo{Username: namespace}}})
			requests.Go(func() { done(access.MayGetSecrets(ctx, uses(n, namespace))) })
		}
		permitted := func(err *field.Error) {
			if err != nil {
				t.Error(err)
			}
		}
		for range 100 {
			ask(apiServer, "attackers", 31, permitted)
		}
		given, giveUp := context.WithTimeout(apiServer, 5*time.Second)
		defer giveUp()
		ask(given, "leaving", 31, func(err *field.Error) {
			if err == nil || !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
				t.Error(err)
			}
		})
		synctest.Wait()
		began := time.Now()
		for _, namespace := range []string{"a", "b", "c", "d", "e", ""} {
			ask(apiServer, namespace, 4, func(err *field.Error) {
				permitted(err)
				if took := time.Since(began); took > 8*time.Second { // in the bubble's time: 4 reviews, and as many turns of others
					t.Errorf("%q waited %s", namespace, took)
				}
			})
		}
		requests.Wait()
		if most["attackers"] != 4 || most["all"] > 8 || total["attackers"] != 3200 || total["leaving"] > 6 {
			t.Errorf("at once %v, in all %v", most, total)
		}
	})
}

// F-S60: clients that are no API servers choose the namespace of a request. Whatever they choose, they delay no review of an API server, and one
// of their addresses delays no other.
func TestStrangersDelayNoReviewOfAnAPIServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		access := admission.NewReviewer(interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{
			Create: func(_ context.Context, _ client.WithWatch, obj client.Object, _ ...client.CreateOption) error {
				time.Sleep(time.Second)
				review := obj.(*authorizationv1.SubjectAccessReview)
				review.Status.Allowed = review.Spec.ResourceAttributes.Name != ""
				return nil
			},
		}))
		ask := func(ctx context.Context, caller admission.Caller, namespace string, n int) *field.Error {
			ctx = ctrladmission.NewContextWithRequest(admission.WithCaller(ctx, caller), ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Namespace: namespace}})
			return access.MayGetSecrets(ctx, uses(n, namespace))
		}
		stranger, other := netip.MustParseAddr("10.244.0.7"), netip.MustParseAddr("10.244.0.8")
		ctx, end := context.WithCancel(t.Context())
		var strangers sync.WaitGroup
		for i := range 128 {
			strangers.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					_ = ask(ctx, admission.Caller{Address: stranger}, fmt.Sprintf("invented-%d-%d", i, n), 31)
				}
			})
		}
		time.Sleep(10*time.Second + time.Second/2) // between two answers
		for _, test := range []struct {
			caller admission.Caller
			takes  time.Duration
		}{{admission.Caller{Address: stranger, IsAPIServer: true}, 4 * time.Second}, {admission.Caller{Address: other}, 4 * time.Second}} {
			began := time.Now()
			if err := ask(ctx, test.caller, "team", 4); err != nil || time.Since(began) != test.takes {
				t.Errorf("%v: 4 reviews after %s: %v", test.caller, time.Since(began), err)
			}
		}
		end()
		strangers.Wait()
	})
}
