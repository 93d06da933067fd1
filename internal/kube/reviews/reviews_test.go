// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package reviews

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationv1client "k8s.io/client-go/kubernetes/typed/authentication/v1"
)

// api knows the token "valid", and counts the reviews. Each takes a while.
type api struct {
	authenticationv1client.TokenReviewInterface
	takes time.Duration

	mu                    sync.Mutex
	reviews, running, max int
}

func (a *api) Create(ctx context.Context, review *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	a.count(1)
	defer a.count(-1)
	select {
	case <-time.After(a.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	review.Status = authenticationv1.TokenReviewStatus{Authenticated: review.Spec.Token == "valid", Audiences: review.Spec.Audiences, User: authenticationv1.UserInfo{Username: "prometheus"}}
	return review, nil
}

func (a *api) count(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running += n
	a.reviews += max(n, 0)
	a.max = max(a.max, a.running)
}

// F-U40: a token is reviewed once while its result counts, also one that is refused.
func TestAResultCountsForAWhile(t *testing.T) {
	for token, counts := range map[string]time.Duration{"valid": allowedFor, "guessed": deniedFor} {
		synctest.Test(t, func(t *testing.T) {
			a := &api{}
			tokens := Tokens(a, "")
			for range 100 {
				response, ok, err := tokens.AuthenticateToken(t.Context(), token)
				if err != nil || ok != (token == "valid") || ok && response.User.GetName() != "prometheus" {
					t.Errorf("%s: %v %t %v", token, response, ok, err)
				}
			}
			if a.reviews != 1 {
				t.Errorf("%s: %d reviews", token, a.reviews)
			}
			time.Sleep(counts + time.Second)
			_, _, _ = tokens.AuthenticateToken(t.Context(), token)
			if a.reviews != 2 {
				t.Errorf("%s: %d reviews after %s", token, a.reviews, counts)
			}
		})
	}
}

// F-U40: a client that comes with one token after the other has few reviewed at the same time, and one whose token was reviewed needs none.
func TestReviewsAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &api{}
		tokens := Tokens(a, "")
		if _, ok, err := tokens.AuthenticateToken(t.Context(), "valid"); !ok || err != nil {
			t.Fatal(err)
		}
		a.takes = time.Hour
		var running sync.WaitGroup
		for n := range 100 {
			running.Go(func() {
				if _, ok, err := tokens.AuthenticateToken(t.Context(), fmt.Sprint("guess", n)); ok || err == nil {
					t.Errorf("%t %v", ok, err)
				}
			})
		}
		synctest.Wait()
		if _, ok, err := tokens.AuthenticateToken(t.Context(), "valid"); !ok || err != nil {
			t.Errorf("a token that was reviewed: %t %v", ok, err)
		}
		if _, _, err := tokens.AuthenticateToken(t.Context(), "another"); !errors.Is(err, ErrBusy) {
			t.Errorf("another token: %v", err)
		}
		running.Wait()
		if a.max != Max || a.reviews != 1+Max {
			t.Errorf("%d at the same time, %d reviews", a.max, a.reviews)
		}
	})
}

// A token for the API server is not one for AlertSources.
func TestTheAudience(t *testing.T) {
	if _, ok, err := Tokens(otherAudience{}, "bellhop").AuthenticateToken(t.Context(), "valid"); ok || err != nil {
		t.Errorf("%t %v", ok, err)
	}
}

type otherAudience struct {
	authenticationv1client.TokenReviewInterface
}

func (otherAudience) Create(_ context.Context, review *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	review.Status = authenticationv1.TokenReviewStatus{Authenticated: true, Audiences: []string{"https://kubernetes.default.svc"}}
	return review, nil
}
