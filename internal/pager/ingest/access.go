// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/utils/lru"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/kube/reviews"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/outbound/versioned"
	"github.com/gophernetes/bellhop/internal/pager/ingest/endpoint"
)

// Access decides who may post to an AlertSource: whoever has the token of its Secret, and ServiceAccounts that may create the subresource
// ingest of it.
type Access struct {
	// Secrets has the metadata of Secrets, and Live their content.
	Secrets secrets.Metadata
	Live    client.Reader

	tokens     authenticator.Token
	authorizer authorizer.Authorizer
	shared     *versioned.Cache[types.NamespacedName, *sharedTokens]
	unknown    unknownTokens
}

// newAccess returns an Access that has the API server review tokens of ServiceAccounts. The operator has the right to that, which the metrics
// endpoint needs as well.
func newAccess(mgr ctrl.Manager, metadata secrets.Metadata) (*Access, error) {
	tokens, rights, err := reviews.New(mgr.GetConfig(), mgr.GetHTTPClient(), endpoint.Audience)
	if err != nil {
		return nil, err
	}
	return &Access{
		Secrets: metadata, Live: mgr.GetAPIReader(), shared: versioned.NewCache[types.NamespacedName, *sharedTokens](),
		tokens: tokens, authorizer: rights, unknown: newUnknownTokens(),
	}, nil
}

// sharedToken is the digest of a token, so that its length does not show in the time of a comparison, and the token in no dump of memory.
type sharedToken struct {
	digest [sha256.Size]byte
	isSet  bool
}

func newSharedToken(secret *corev1.Secret, key string) sharedToken {
	value := strings.TrimSpace(string(secret.Data[key]))
	return sharedToken{digest: sha256.Sum256([]byte(value)), isSet: value != ""}
}

// is reports whether a token with a digest is this one.
func (t sharedToken) is(digest [sha256.Size]byte) bool {
	return subtle.ConstantTimeCompare(digest[:], t.digest[:]) == 1 && t.isSet
}

// sharedTokens are the tokens in a Secret. next is for a rotation.
type sharedTokens struct{ token, next sharedToken }

// Close is for the cache.
func (*sharedTokens) Close() {}

// Check returns the answer to a request that is refused. A source that does not exist is nil; it is refused as one without a right to it.
//
// A Secret that is polled may have had a token since a moment ago. So one that is unknown is refused for good only once it was posted before, and the
// Secret was read since. Until then the answer is to post again, also for a source that does not exist, so that it tells no stranger which ones do.
func (a *Access) Check(ctx context.Context, r *http.Request, name types.NamespacedName, source *v1beta1.AlertSource) error {
	failed, interval := time.Now(), a.Secrets.ReadInterval()
	err := a.check(ctx, r, name, source)
	token := credentialOf(r)
	if interval == 0 || token == "" || !isUnauthorized(err) {
		return err // a ServiceAccount without the right needs no Secret
	}
	isFirst := failed.Sub(a.unknown.since(name, token, failed)) < interval
	if !isFirst {
		failed = failed.Add(-interval) // a read since then is later than the first post, and one before can be repeated now
	}
	if source != nil && source.Spec.SecretRef != nil {
		isRead, busyErr := a.Secrets.ReadNow(ctx, types.NamespacedName{Namespace: source.Namespace, Name: source.Spec.SecretRef.Name}, failed)
		if busyErr != nil {
			return errUnknownYet
		}
		if isRead {
			err = a.check(ctx, r, name, source)
		}
	}
	if isFirst && isUnauthorized(err) {
		return errUnknownYet
	}
	return err
}

// errUnknownYet is the answer to a token that a Secret may have by now.
var errUnknownYet = &answer{code: http.StatusServiceUnavailable, isStranger: true,
	text: "the token was not that of the AlertSource, and not of a ServiceAccount, a moment ago; post again"}

// unknownTokens has the times at which tokens were first posted that are not known, of those that were posted last.
type unknownTokens struct{ first *lru.Cache } // digest of a token and a name → time.Time

func newUnknownTokens() unknownTokens { return unknownTokens{lru.New(maxKept)} }

// since returns when a token was first posted to an AlertSource, which is now if it was not posted before.
func (u unknownTokens) since(source types.NamespacedName, token string, now time.Time) time.Time {
	digest := sha256.Sum256([]byte(token))
	key := sha256.Sum256(append(digest[:], source.String()...)) // a client would choose the length of the name
	if first, ok := u.first.Get(key); ok {
		return first.(time.Time)
	}
	u.first.Add(key, now)
	return now
}

func (a *Access) check(ctx context.Context, r *http.Request, name types.NamespacedName, source *v1beta1.AlertSource) error {
	token := credentialOf(r)
	if token == "" {
		return answerf(http.StatusUnauthorized, "the header Authorization has no bearer token, and no password of basic authentication")
	}
	isShared, err := a.isShared(ctx, token, source)
	if isShared {
		return nil
	}
	isServiceAccounts := strings.Count(token, ".") == 2 // a JSON Web Token
	needsNoSecret := isServiceAccounts && apierrors.IsForbidden(err)
	if err != nil && !needsNoSecret {
		return busy("the Secret of the AlertSource cannot be read")
	}
	if !isServiceAccounts {
		return answerf(http.StatusUnauthorized, "the token is not that of the AlertSource, and not of a ServiceAccount")
	}
	return a.review(ctx, token, name, source)
}

// credentialOf returns the bearer token, or the password of basic authentication.
func credentialOf(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	return reviews.BearerToken(r)
}

// SecretProblem is why the token of a Secret cannot be used.
type SecretProblem struct{ Reason, Message string }

// Problem returns why the token of a source's Secret cannot be used; nil: it can, or the source has no Secret. An error means that the Secret could
// not be read.
func (a *Access) Problem(ctx context.Context, source *v1beta1.AlertSource) (*SecretProblem, error) {
	expected, err := a.tokensOf(ctx, source)
	switch {
	case apierrors.IsNotFound(err):
		return &SecretProblem{v1beta1.ReasonSecretNotFound, fmt.Sprintf("Secret %q does not exist in namespace %q", source.Spec.SecretRef.Name, source.Namespace)}, nil
	case errors.Is(err, secrets.ErrBusy):
		return nil, err
	case apierrors.IsForbidden(err):
		return &SecretProblem{v1beta1.ReasonSecretNotRead, fmt.Sprintf("the operator may not read Secret %q in namespace %q", source.Spec.SecretRef.Name, source.Namespace)}, nil
	case err != nil:
		return nil, fmt.Errorf("reading Secret %q: %s", source.Spec.SecretRef.Name, apierrors.ReasonForError(err))
	case expected != nil && !expected.token.isSet:
		return &SecretProblem{v1beta1.ReasonTokenMissing, fmt.Sprintf("Secret %q has no key %q, which has to be the token of senders", source.Spec.SecretRef.Name, endpoint.TokenKey)}, nil
	}
	return nil, nil
}

// isShared reports whether a token is one in the Secret of a source.
func (a *Access) isShared(ctx context.Context, token string, source *v1beta1.AlertSource) (bool, error) {
	expected, err := a.tokensOf(ctx, source)
	if apierrors.IsNotFound(err) || err == nil && expected == nil {
		return false, nil // the token may be of a ServiceAccount
	}
	if err != nil {
		return false, err
	}
	digest := sha256.Sum256([]byte(token))
	return expected.token.is(digest) || expected.next.is(digest), nil
}

// tokensOf returns the tokens of a source's Secret, which is read once for each version of it; nil: the source has none.
func (a *Access) tokensOf(ctx context.Context, source *v1beta1.AlertSource) (*sharedTokens, error) {
	if source == nil || source.Spec.SecretRef == nil {
		return nil, nil //nolint:nilnil // as documented
	}
	name := types.NamespacedName{Namespace: source.Namespace, Name: source.Spec.SecretRef.Name}
	meta := apiserver.Metadata("Secret")
	if err := a.Secrets.Get(ctx, name, meta); err != nil {
		return nil, err
	}
	return a.shared.Of(name, string(meta.UID)+"/"+meta.ResourceVersion, func(*sharedTokens) (*sharedTokens, error) {
		secret, err := secrets.Read(ctx, a.Live, name)
		if err != nil {
			return nil, err
		}
		return &sharedTokens{token: newSharedToken(secret, endpoint.TokenKey), next: newSharedToken(secret, endpoint.NextTokenKey)}, nil
	})
}

// review has the API server review a token, and the right of its user.
func (a *Access) review(ctx context.Context, token string, name types.NamespacedName, source *v1beta1.AlertSource) error {
	response, ok, err := a.tokens.AuthenticateToken(ctx, token)
	switch {
	case errors.Is(err, reviews.ErrBusy):
		return busy("%d tokens are reviewed, which is the limit", reviews.Max)
	case err != nil:
		return busy("the token cannot be reviewed")
	case !ok:
		return answerf(http.StatusUnauthorized, "the token is not that of the AlertSource, and not of a ServiceAccount for the audience %s", endpoint.Audience)
	}
	forbidden := answerf(http.StatusForbidden, "there is no AlertSource %s in namespace %s, or the user %s may not create alertsources/ingest of it", name.Name, name.Namespace, response.User.GetName())
	if source == nil { // results of reviews are kept under the name, which a client would choose
		return forbidden
	}
	decision, _, err := a.authorizer.Authorize(ctx, authorizer.AttributesRecord{
		User: response.User, Verb: "create", Namespace: name.Namespace, Name: name.Name, ResourceRequest: true,
		APIGroup: v1beta1.GroupVersion.Group, APIVersion: v1beta1.GroupVersion.Version, Resource: "alertsources", Subresource: "ingest",
	})
	if err != nil {
		return busy("the right to post cannot be reviewed")
	}
	if decision != authorizer.DecisionAllow {
		return forbidden
	}
	return nil
}
