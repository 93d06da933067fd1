// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package engine is the reconcile shell that instances and bindings share. A Kind has the differences. The engine reads an object once the cache
// shows this process's own writes, sends a request when the broker has a slot for it, and writes statuses; a result that could not be written is
// kept until it is on record. It knows no kind.
package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/audit"
	"github.com/gophernetes/bellhop/internal/kube/consistency"
	"github.com/gophernetes/bellhop/internal/kube/enqueue"
	"github.com/gophernetes/bellhop/internal/kube/leadership"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/panics"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

const (
	// inFlightDelay is how long a broker may take to answer a request before the status says so, which costs a write.
	inFlightDelay = 2 * time.Second
	// QueuedConditionDelay is how long an object waits for its broker before the status says so, which costs a write.
	QueuedConditionDelay = 10 * time.Second
	// ReadTimeout is how long a reconcile waits to read Secrets of its object, since it keeps a worker from other objects, and readRetry how
	// long it leaves the worker to them then, at least.
	ReadTimeout, readRetry = 250 * time.Millisecond, time.Second
	// lowPriority is the priority of polls and retries: changes by users go first.
	lowPriority = handler.LowPriority
)

// Reconciler is the reconcile shell that instances and bindings share: it observes an object, sends a request to its broker, and
// records the result.
type Reconciler struct {
	*Config
	kind           Kind
	Client         client.Client // reads the cache, and shows this process's own writes
	Live           client.Reader
	fresh          *consistency.ObjectFreshness
	Definition     *DefinitionReader
	pending        *pending
	Claims         claims
	Recoveries     brokers.Recoveries
	Wake           enqueue.Enqueuer
	Queue          *brokers.Queue
	progressWrites *rate.Limiter
}

// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=serviceinstances.servicecatalog.k8s.io;servicebindings.servicecatalog.k8s.io,verbs=get

// Kind has the differences between the kinds of objects that the engine reconciles.
type Kind struct {
	// Name is the kind, such as ServiceInstance.
	Name string
	// New returns an empty object.
	New func() v1beta1.ServiceObject
	// IsCreated reports whether the broker has confirmed the resource.
	IsCreated func(v1beta1.ServiceObjectStatus) bool
	// RemovalFailed is the reason of a removal that cannot be requested.
	RemovalFailed string
	// QuietWhileReady: that a request waits for a slot is no news while Ready is True.
	QuietWhileReady bool
	// UnsettledAt returns the objects that are not settled at a broker.
	UnsettledAt func(context.Context, client.Object) []reconcile.Request
	// Reconcile observes the objects that an object refers to, and calls Run. The object is as this process wrote it last, or newer.
	Reconcile func(context.Context, *Scope) (ctrl.Result, error)
}

// Scope is an object during a reconcile.
type Scope struct {
	Before v1beta1.ServiceObject // as it is on record; it belongs to the cache
	Object v1beta1.ServiceObject // the same, with a status that is not recorded yet; the rest is shared with Before
	Memory *Memory
	// Inputs are the observations that every decision depends on, Broker gets the requests about the id in force (nil: it does not exist), and User
	// changed the spec last. The kind sets them before Run.
	Inputs *operation.Inputs
	Broker v1beta1.Broker
	User   *v1beta1.UserInfo
	// polled: the request was a poll.
	polled bool
	// stopping returns an error once the process stops, or while it may no longer lead.
	stopping func() error
	// calls is the number of requests of this reconcile, and more says that another one may follow at once.
	calls int
	more  bool
}

// Stopping returns an error once the process stops, or while it may no longer lead: it may write no Secret and send no request then.
func (s *Scope) Stopping() error {
	if s.stopping == nil {
		return nil
	}
	if err := s.stopping(); err != nil {
		return fmt.Errorf("%w: %w", brokers.ErrStopping, err)
	}
	return nil
}

// MayRepeat reports whether the process may still send a request again.
func (s *Scope) MayRepeat() bool { return s.Stopping() == nil }

// Common returns the scope itself, also of a kind's scope that embeds it.
func (s *Scope) Common() *Scope { return s }

// external returns the resource that the object has at a broker under an id.
func (s *Scope) external(id string) audit.External {
	broker := s.Broker
	if left := s.Inputs.CleanUpBrokers[id].Broker; left != nil {
		broker = left
	}
	return audit.External{ID: id, Broker: broker, User: s.User}
}

// NewReconciler returns the reconciler of the objects of a kind.
func NewReconciler(config *Config, kind Kind, c client.Client, live client.Reader) *Reconciler {
	r := &Reconciler{
		Config: config, kind: kind, Client: c, Live: live, progressWrites: brokers.NewStatusLimiter(),
		fresh:      config.Freshness(kind.Name, kind.New()),
		Definition: NewDefinitionReader(live, kind.Name),
		pending:    newPending(),
	}
	r.Queue = brokers.NewQueue(kind.Name, config.Clients, config.Clock, &r.Wake)
	return r
}

// Reconcile reads the object, skips it while the cache is older than the last write of this process, and takes steps until nothing more can be done
// now.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if r.Leadership.Err() != nil { // results that are not recorded yet are recorded only if no other process has led since
		return ctrl.Result{}, leadership.ErrEnded
	}
	if err := r.Barrier.WaitForSync(ctx); err != nil {
		return ctrl.Result{}, err
	}
	before := r.kind.New()
	err := r.fresh.Read(ctx, r.Client, req.NamespacedName, before, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		queued, lost := r.pending.drop(req.NamespacedName)
		r.Queue.Leave(req.NamespacedName, &queued)
		r.reportLost(ctx, lost)
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	result, err := r.reconcileIfFresh(ctx, before)
	if errors.Is(err, brokers.ErrStopping) && !errors.Is(err, leadership.ErrEnded) {
		return ctrl.Result{}, nil
	}
	if errors.Is(err, secrets.ErrBusy) {
		return ctrl.Result{RequeueAfter: readRetry + rand.N(readRetry), Priority: new(lowPriority)}, nil
	}
	if err != nil {
		return ctrl.Result{Priority: cmp.Or(result.Priority, new(0))}, err
	}
	return result, nil
}

// reportLost reports a resource that a request may have created for an object which vanished before that was on record: its finalizer was removed,
// after which no request is sent (R1, R2).
func (r *Reconciler) reportLost(ctx context.Context, lost *Unrecorded) {
	if lost == nil {
		return
	}
	audit.Left(ctx, r.Recorder, lost.Object, lost.External, v1beta1.ReasonResultNotRecorded, "Record", fmt.Sprintf(
		"The %s was deleted before the response to its %s request was recorded (%s). No further request is sent; a resource that the request created has to be removed at the broker",
		r.kind.Name, lost.Request, lost.Answer))
}

// reconcileIfFresh reconciles an object, if the cache shows it as this process has left it.
func (r *Reconciler) reconcileIfFresh(ctx context.Context, before v1beta1.ServiceObject) (ctrl.Result, error) {
	if fresh, err := r.fresh.IsFresh(ctx, before); err != nil || !fresh {
		return ctrl.Result{}, err
	}
	memory, lost := r.pending.of(before)
	r.reportLost(ctx, lost)
	s := &Scope{Before: before, Object: before.WithOwnStatus(), Memory: memory}
	if s.Memory.released { // it is gone, or has the finalizer of another controller
		return ctrl.Result{}, nil
	}
	r.resumePending(s)
	process := ctx
	s.stopping = func() error { return r.Leadership.Stopping(process) }
	ctx = context.WithoutCancel(ctx) // a request that was sent is finished and recorded also when the process stops
	result, err := r.reconcile(ctx, s)
	if err != nil { // it requests its slot later
		r.Queue.Postpone(client.ObjectKeyFromObject(before), s.Memory.Queue)
	}
	if !s.Object.CommonStatus().Common().AsyncOpInProgress {
		r.pending.forgetIdle(before)
	}
	return patch.RequeueOnConflict(ctx, result, err)
}

func (r *Reconciler) reconcile(ctx context.Context, s *Scope) (ctrl.Result, error) {
	if wait, err := r.awaitTakeover(ctx, s); wait != nil || err != nil {
		return ptr.Deref(wait, ctrl.Result{}), err
	}
	return r.kind.Reconcile(ctx, s)
}

// KeepPending remembers the status until it is on record.
func (r *Reconciler) KeepPending(s *Scope) {
	s.Memory.PendingStatus, s.Memory.recorded, s.Memory.version = s.Object.CommonStatus().DeepCopyStatus(), s.Before.CommonStatus(), s.Before.GetResourceVersion()
}

// resumePending continues with a status that is not recorded yet. If another status was recorded since, perhaps by another leader, a refusal is
// dropped, since it may follow from that status. A result that a broker has brought about, or may have, is kept.
func (r *Reconciler) resumePending(s *Scope) {
	if s.Memory.PendingStatus == nil {
		return
	}
	if s.Memory.refused && !rules.NotAfter(s.Before.GetResourceVersion(), s.Memory.version) && !equality.Semantic.DeepEqual(s.Before.CommonStatus(), s.Memory.recorded) {
		s.Memory.PendingStatus = nil
		return
	}
	s.Object.SetStatus(s.Memory.PendingStatus.DeepCopyStatus())
}

// connect returns the client of a broker, or the blocker for its credentials: with an error where a retry may help.
func (r *Reconciler) connect(ctx context.Context, b v1beta1.Broker) (*brokers.Client, *rules.Blocker, error) {
	broker, err := r.Clients.For(ctx, b)
	if err == nil {
		return broker, nil, nil
	}
	bad, ok := errors.AsType[*brokers.CredentialsError](err)
	if !ok {
		return nil, nil, err
	}
	if !bad.Temporary {
		err = nil
	}
	return nil, bad.Blocker(b, v1beta1.ReasonErrorGettingAuthCredentials, fmt.Sprintf("%s %q: %s", catalog.ScopeOf(b).BrokerKind(), b.GetName(), bad.Message)), err
}

// send sends the request of a step once the broker has a slot for it; otherwise queued says why it waits. After an error no request was sent.
func (r *Reconciler) send(ctx context.Context, s *Scope, broker v1beta1.Broker, next Step, ask func() (operation.Answer, error)) (a operation.Answer, queued *limiter.Wait, err error) {
	what, attempts := next.Request.Operation, s.Object.CommonStatus().Common().Attempts
	if attempts != nil && (attempts.Generation != s.Object.GetGeneration() || next.Requested) {
		attempts = nil
	}
	if next.Request.CleanUp { // it is not the first request of the object, and its failures do not belong to the present spec
		attempts = &v1beta1.Attempts{Backoff: v1beta1.Backoff{Count: 1}}
	}
	release, wait := r.Queue.Enter(s.Object, &s.Memory.Queue, brokers.KeyOf(broker), what, attempts)
	if release == nil {
		return a, &wait, nil
	}
	result := limiter.Result{Outcome: limiter.NotSent}
	defer func() {
		verdict := release(r.Clock.Now(), result)
		a.Attribution = r.attribute(broker, result, verdict)
	}()
	if err := r.recordAhead(ctx, s, next.ahead()); err != nil {
		return a, nil, err
	}
	if a, err = r.await(ctx, s, next.InFlight, ask); err != nil {
		return a, nil, err
	}
	if a.Misconfigured() {
		r.Clients.RecordMisconfiguration(brokers.KeyOf(broker), what, a.Outcome)
	}
	result, s.polled, s.Memory.refused = brokers.ResultOf(a.Outcome), what == rules.Poll, a.Class == osbresult.Rejected
	if a.Class == osbresult.NeedsCatalog {
		r.RequestRelist(brokers.KeyOf(broker))
	}
	if next.Request.CleanUp {
		s.Memory.RememberCleanUp(next.Request, next.Request.IsDeletedBy(a), r.Clock.Now())
		return a, nil, nil
	}
	s.Memory.SeenRunning = a.Class == osbresult.Accepted || what == rules.Poll && s.Memory.SeenRunning
	s.Memory.LastPoll, s.Memory.PollAfter = time.Time{}, 0
	if what == rules.Poll || a.Class == osbresult.Accepted {
		s.Memory.LastPoll, s.Memory.PollAfter = r.Clock.Now(), a.RetryAfter
	}
	return a, nil, nil
}

// await sends a request. Where the broker takes its time, the status on record becomes inFlight meanwhile; nil: it stays. That this write fails
// is no news, since the result is recorded next.
func (r *Reconciler) await(ctx context.Context, s *Scope, inFlight v1beta1.ServiceObjectStatus, ask func() (operation.Answer, error)) (operation.Answer, error) {
	if inFlight == nil {
		return ask()
	}
	written := make(chan struct{})
	timer := time.AfterFunc(inFlightDelay, func() {
		defer close(written)
		if err := r.recordInFlight(ctx, s, inFlight); err != nil {
			logf.FromContext(ctx).V(1).Info("The status does not say that a request is in flight", "error", err.Error())
		}
	})
	defer func() { // also after a panic
		if !timer.Stop() {
			<-written
		}
	}()
	return ask()
}

func (r *Reconciler) recordInFlight(ctx context.Context, s *Scope, status v1beta1.ServiceObjectStatus) (err error) {
	defer panics.Recover(ctx, panics.Reconciler, "recording that a request is in flight", &err)
	return r.Record(ctx, s, status)
}

// attribute attributes an answer. If the broker is at fault, its catalog is read, so that its status has the error.
func (r *Reconciler) attribute(broker v1beta1.Broker, result limiter.Result, attribution limiter.Attribution) rules.Attribution {
	if result.Outcome != limiter.NotSent {
		r.ObserveRequest(brokers.KeyOf(broker), result)
	}
	if !result.LooksMisconfigured() || attribution.OwnFault || !attribution.Slow {
		return rules.Attribution{OwnFault: result.LooksMisconfigured() && attribution.OwnFault}
	}
	r.RequestRelist(brokers.KeyOf(broker))
	return rules.Attribution{Probed: brokers.NameOf(brokers.KeyOf(broker))}
}

// requeue returns when to reconcile an object again.
func (r *Reconciler) requeue(wake time.Time, status v1beta1.ServiceObjectStatus) ctrl.Result {
	result := enqueue.Requeue(wake, r.Clock.Now())
	if common := status.Common(); common.AsyncOpInProgress || rules.HasFailed(common.Attempts) {
		result.Priority = new(lowPriority)
	}
	return result
}

// requeueNow returns a reconcile of its own for the next request, which may have to wait for a slot.
func (r *Reconciler) requeueNow(status v1beta1.ServiceObjectStatus) ctrl.Result {
	return r.requeue(r.Clock.Now(), status)
}

// observeRecovery records the broker's health by a request, and wakes the objects that wait for its recovery.
func (r *Reconciler) observeRecovery(ctx context.Context, broker v1beta1.Broker, before, after v1beta1.ServiceObjectStatus) {
	key := brokers.KeyOf(broker)
	if r.kind.IsCreated(after) && !r.kind.IsCreated(before) {
		if r.Recoveries.RecordSuccess(key, r.Clock.Now()) {
			for _, waiting := range r.kind.UnsettledAt(ctx, broker) {
				r.Wake.Add(waiting.NamespacedName)
			}
		}
		return
	}
	// A failure after a recovery is the fault of the object.
	if a := after.Common().Attempts; rules.IsSlow(a) && !a.Recovered && !r.kind.IsCreated(after) {
		r.Recoveries.RecordFailure(key)
	}
}
