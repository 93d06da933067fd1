// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/internal/outbound/limiter"
)

// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// Reviewer asks the API server whether the requesting user is authorized to get Secrets.
type Reviewer struct {
	client client.Client
	// ofAPIServers and ofOthers have the reviews of all requests, by the client that sent them.
	ofAPIServers, ofOthers *limiter.Pool
}

// NewReviewer returns a Reviewer whose access reviews share maxInFlight. Half are for requests of API servers, in which the namespaces of the objects
// take turns. Other clients choose the namespace of a request: their addresses take turns.
func NewReviewer(c client.Client) Reviewer {
	pool := func() *limiter.Pool { return &limiter.Pool{Total: maxInFlight / 2, PerTenant: maxInFlightOfTenant} }
	return Reviewer{client: c, ofAPIServers: pool(), ofOthers: pool()}
}

// callerKey is the key of the Caller in the context of a request.
type callerKey struct{}

// Caller is the client that sent a request, as its connection shows it. The zero value is a client that is not known.
type Caller struct {
	Address     netip.Addr
	IsAPIServer bool
}

// WithCaller returns the context of a request that a client sent.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf returns the client that sent a request.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

const (
	// MaxReviews is the number of access reviews that one request makes at most.
	MaxReviews = 32
	// maxInFlight and maxInFlightOfTenant bound the access reviews in flight: of all requests; and of requests of API servers about objects of one
	// namespace, or cluster-scoped ones, or of requests of one other address.
	maxInFlight, maxInFlightOfTenant = 16, 4
	// fewSecrets is the number of Secrets of one namespace up to which each has a review of its own at once. For more, permission to get all
	// Secrets of the namespace is asked for first: users who create many of these objects usually have it.
	fewSecrets = 4
)

// SecretUse is a Secret that the object of a request uses, and the field of the object that has it used.
type SecretUse struct {
	Secret types.NamespacedName
	Path   *field.Path
	// For describes the other object that refers to the Secret; empty: the object of the request does.
	For string
}

// MayGetSecret is MayGetSecrets of one Secret.
func (r Reviewer) MayGetSecret(ctx context.Context, secret types.NamespacedName, path *field.Path) *field.Error {
	return r.MayGetSecrets(ctx, []SecretUse{{Secret: secret, Path: path}})
}

// MayGetSecrets returns an error at the field of the first Secret that the requesting user is not authorized to get: the object would have it
// used, or sent to an address of the user's choice. It makes at most MaxReviews reviews: more Secrets need permission that covers all of
// them. ctx is the context of a webhook's handler.
func (r Reviewer) MayGetSecrets(ctx context.Context, uses []SecretUse) *field.Error {
	left := distinct(uses)
	if len(left) == 0 {
		return nil
	}
	request, err := ctrladmission.RequestFromContext(ctx)
	if err != nil {
		return field.InternalError(left[0].Path, err)
	}
	user := request.UserInfo
	reviews := 0
	// may asks for one Secret; without a name for all of the namespace, and without a namespace for all of the cluster.
	may := func(namespace, name string) (bool, error) {
		reviews++
		var allowed bool
		err := r.runQueued(ctx, request.Namespace, func() (err error) {
			allowed, err = r.mayGet(ctx, user, namespace, name)
			return err
		})
		if err != nil {
			return false, fmt.Errorf("asking whether %q may get the Secret: %w", user.Username, err)
		}
		return allowed, nil
	}
	for _, namespace := range wideQuestions(left) {
		if reviews == MaxReviews {
			break
		}
		allowed, err := may(namespace, "")
		if err != nil {
			return field.InternalError(left[0].Path, err)
		}
		if allowed {
			left = slices.DeleteFunc(left, func(use SecretUse) bool { return namespace == "" || use.Secret.Namespace == namespace })
		}
		if len(left) == 0 {
			return nil
		}
	}
	if rest := MaxReviews - reviews; len(left) > rest {
		return field.Forbidden(left[rest].Path, fmt.Sprintf("%d Secrets would be used, and %q may get at most %d one by one: use fewer, or permit the user to get all Secrets in %s",
			len(left), user.Username, rest, namespacesOf(left)))
	}
	for _, use := range left {
		allowed, err := may(use.Secret.Namespace, use.Secret.Name)
		if err != nil {
			return field.InternalError(use.Path, err)
		}
		if allowed {
			continue
		}
		if use.For != "" {
			return field.Forbidden(use.Path, fmt.Sprintf("%q may not get Secret %q in namespace %q, so they may not have it sent for %s either", user.Username, use.Secret.Name, use.Secret.Namespace, use.For))
		}
		return field.Forbidden(use.Path, fmt.Sprintf("%q may not get Secret %q in namespace %q, so they may not have it sent either", user.Username, use.Secret.Name, use.Secret.Namespace))
	}
	return nil
}

// runQueued has a review made once there is room for one of the caller, and of the namespace if that is an API server, unless ctx ends before.
func (r Reviewer) runQueued(ctx context.Context, namespace string, review func() error) error {
	caller := CallerOf(ctx)
	pool, tenant := r.ofOthers, caller.Address.String()
	if caller.IsAPIServer {
		pool, tenant = r.ofAPIServers, namespace
	}
	begin, end := make(chan struct{}), make(chan struct{})
	defer close(end)
	pool.Go(tenant, func() {
		select {
		case begin <- struct{}{}:
			<-end
		case <-end:
		}
	})
	select {
	case <-begin:
		return review()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// mayGet makes one access review.
func (r Reviewer) mayGet(ctx context.Context, user authenticationv1.UserInfo, namespace, name string) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "get", Version: "v1", Resource: "secrets", Name: name},
	}}
	if user.Extra != nil {
		review.Spec.Extra = make(map[string]authorizationv1.ExtraValue, len(user.Extra))
		for key, value := range user.Extra {
			review.Spec.Extra[key] = authorizationv1.ExtraValue(value)
		}
	}
	// A review is not an object that a cache could show.
	err := r.client.Create(ctx, review, client.DisableReadYourWritesConsistency)
	return review.Status.Allowed, err
}

// distinct returns the first use of each Secret.
func distinct(uses []SecretUse) (first []SecretUse) {
	seen := make(map[types.NamespacedName]bool, len(uses))
	for _, use := range uses {
		if !seen[use.Secret] {
			seen[use.Secret] = true
			first = append(first, use)
		}
	}
	return first
}

// wideQuestions returns the namespaces with more than a few Secrets, and before them, if Secrets of many namespaces are used, the empty name
// for all.
func wideQuestions(uses []SecretUse) (namespaces []string) {
	count := map[string]int{}
	for _, use := range uses {
		if count[use.Secret.Namespace]++; count[use.Secret.Namespace] == fewSecrets+1 {
			namespaces = append(namespaces, use.Secret.Namespace)
		}
	}
	if len(count) > fewSecrets {
		return append([]string{""}, namespaces...)
	}
	return namespaces
}

// namespacesOf describes the namespaces of Secrets.
func namespacesOf(uses []SecretUse) string {
	for _, use := range uses {
		if use.Secret.Namespace != uses[0].Secret.Namespace {
			return "their namespaces"
		}
	}
	return fmt.Sprintf("namespace %q", uses[0].Secret.Namespace)
}

// Synced reports whether the cache has synced the kinds of objs. While it has not, webhooks accept references to such objects and leave their check
// to the controller.
func Synced(ctx context.Context, c cache.Cache, objs ...client.Object) bool {
	for _, obj := range objs {
		informer, err := c.GetInformer(ctx, obj, cache.BlockUntilSynced(false))
		if err != nil || !informer.HasSynced() {
			return false
		}
	}
	return true
}
