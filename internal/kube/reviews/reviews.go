// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package reviews has the API server review the tokens of clients, and their rights. The reviews that a client without credentials can cause are
// bounded: few run at the same time, and each result counts for a while.
package reviews

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/token/cache"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	authenticationv1client "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationv1client "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"

	"github.com/gophernetes/bellhop/internal/kube/secrets"
)

const (
	// allowedFor and deniedFor are for how long a review counts.
	allowedFor, deniedFor = 60 * time.Second, 10 * time.Second
	timeout               = 3 * time.Second
	// Max bounds the reviews of tokens at the same time: a client may come with one token after the other. A token that was reviewed needs none.
	Max = 4
	// maxWait is how long a review waits for others. A server bounds how many requests of one address may wait.
	maxWait = time.Second
)

// ErrBusy: as many tokens as may be are being reviewed.
var ErrBusy = errors.New("there are as many reviews of tokens as may run at the same time")

// New returns an authenticator of tokens for an audience, and an authorizer, which both ask the API server. Without an audience, a token has to be
// for the API server.
func New(cfg *rest.Config, httpClient *http.Client, audience string) (authenticator.Token, authorizer.Authorizer, error) {
	authentication, err := authenticationv1client.NewForConfigAndClient(cfg, httpClient)
	if err != nil {
		return nil, nil, err
	}
	authorization, err := authorizationv1client.NewForConfigAndClient(cfg, httpClient)
	if err != nil {
		return nil, nil, err
	}
	rights, err := authorizerfactory.DelegatingAuthorizerConfig{
		SubjectAccessReviewClient: authorization, AllowCacheTTL: allowedFor, DenyCacheTTL: deniedFor,
		WebhookRetryBackoff: &wait.Backoff{Steps: 1}, // the client sends its request again
	}.New()
	if err != nil {
		return nil, nil, fmt.Errorf("setting up reviews of rights: %w", err)
	}
	return Tokens(authentication.TokenReviews(), audience), rights, nil
}

// BearerToken returns the bearer token of a request; empty: it has none.
func BearerToken(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// Tokens returns an authenticator that has the API server review tokens for an audience.
func Tokens(api authenticationv1client.TokenReviewInterface, audience string) authenticator.Token {
	return cache.New(&tokens{api, audience, make(chan struct{}, Max)}, false, allowedFor, deniedFor)
}

// tokens authenticates tokens by TokenReviews. A refusal of a token is no error, so that the cache keeps it; an error, where no review was made, is
// not cached.
type tokens struct {
	api      authenticationv1client.TokenReviewInterface
	audience string
	running  chan struct{}
}

// AuthenticateToken creates a TokenReview and returns the user. The cache of Tokens calls it with a detached context, since several requests may
// wait for one review.
func (t *tokens) AuthenticateToken(ctx context.Context, token string) (*authenticator.Response, bool, error) {
	select {
	case t.running <- struct{}{}:
		defer func() { <-t.running }()
	case <-time.After(maxWait):
		return nil, false, ErrBusy
	}
	ctx, cancel := context.WithTimeout(secrets.Silent(ctx), timeout)
	defer cancel()
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	if t.audience != "" {
		review.Spec.Audiences = []string{t.audience}
	}
	review, err := t.api.Create(ctx, review, metav1.CreateOptions{})
	if err != nil || !review.Status.Authenticated || t.audience != "" && !slices.Contains(review.Status.Audiences, t.audience) {
		return nil, false, err
	}
	u := review.Status.User
	who := &user.DefaultInfo{Name: u.Username, UID: u.UID, Groups: u.Groups, Extra: map[string][]string{}}
	for key, values := range u.Extra {
		who.Extra[key] = values
	}
	return &authenticator.Response{User: who}, true, nil
}
