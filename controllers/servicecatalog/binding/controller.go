// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package binding reconciles ServiceBindings: it observes the objects that they refer to, gets the next step from package bindingrules, sends the
// request or writes the Secret, and records the result through the engine.
package binding

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/credentials"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/kube/consistency"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingrules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingsecret"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Reconciler creates ServiceBindings at their brokers, and keeps the credentials in Secrets.
type Reconciler struct {
	*engine.Reconciler
	dependents dependents
	instances  *consistency.ObjectFreshness
	secrets    *credentials.Store
}

// scope is a binding during a reconcile: an engine.Machine.
type scope struct {
	*engine.Scope

	r       *Reconciler
	binding *v1beta1.ServiceBinding // the object
	inputs  bindingrules.Inputs
	next    bindingrules.Decision // the last one
	// memory has the facts about the binding that this process remembers beyond its status.
	memory bindingrules.Memory
	// shown: the cache shows the Secret as this process knows it.
	shown bool
	// removed is the Secret that this reconcile has removed, for the redaction of the answer to the request that follows.
	removed *corev1.Secret
}

// StatusForBlocker returns the status of a binding whose reconcile is blocked.
func (s *scope) StatusForBlocker(why *rules.Blocker, now time.Time) v1beta1.ServiceObjectStatus {
	s.inputs.Now = now
	status := bindingrules.StatusForBlocker(s.binding, s.inputs, why)
	return &status
}

// recorded returns the binding as it is on record.
func (s *scope) recorded() *v1beta1.ServiceBinding { return s.Before.(*v1beta1.ServiceBinding) }

// recall loads the facts about the binding that this process remembers.
func (s *scope) recall() {
	s.memory, _ = s.Memory.Memory.(bindingrules.Memory)
}

// remember keeps the facts that the next reconcile needs, without credentials.
func (s *scope) remember() {
	s.memory.DropCredentials()
	s.memory.Issued = s.inputs.Issued
	s.memory.ForgetSettled(&s.recorded().Status, s.inputs.BoundInstance.Instance, s.inputs.Secret, s.shown)
	if s.Memory.Memory = nil; s.memory != (bindingrules.Memory{}) {
		s.Memory.Memory = s.memory
	}
}

// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=servicebindings,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=servicebindings/status,verbs=patch
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=servicebindings/finalizers,verbs=update
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=serviceinstances,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// reconcile observes, decides, executes and records.
func (r *Reconciler) reconcile(ctx context.Context, base *engine.Scope) (ctrl.Result, error) {
	s := &scope{Scope: base, r: r, binding: base.Object.(*v1beta1.ServiceBinding)}
	s.recall()
	if err := r.observe(ctx, s); err != nil {
		return ctrl.Result{}, fmt.Errorf("looking up what the binding refers to: %w", err)
	}
	defer s.remember()
	s.Inputs, s.Broker, s.User = &s.inputs.Inputs, s.inputs.Broker, s.binding.Spec.UserInfo
	return r.Run(ctx, s)
}

// Decide decides on the present view.
func (s *scope) Decide(ctx context.Context) engine.Step {
	s.inputs.Memory, s.inputs.Issued = s.memory.RequestMemory, s.inputs.ObserveIssue(&s.binding.Status)
	s.next = bindingrules.Decide(s.binding, s.inputs)
	step := engine.Step{Decision: s.next.Decision, ID: rules.BindingID(s.binding, &s.binding.Status), Status: &s.next.Status,
		Retained: s.next.Retained, RetainedID: s.next.RetainedID}
	step.RequeueAt = times.Earliest(step.RequeueAt, s.r.nextLook(ctx, s))
	if s.next.Request != nil {
		step.Request = &s.next.Request.Request
		step.Rule = bindingrules.RuleOfDeletion(s.binding, &s.next.Status, s.next.Request.ID)
	}
	if s.next.InFlight != nil {
		step.InFlight = s.next.InFlight
	}
	if s.next.SecretAction != "" {
		step.Act = s.executeSecretAction
	}
	return step
}

// Supply reads or writes the input that the last decision needs.
func (s *scope) Supply(ctx context.Context, need rules.Need) error {
	switch need {
	case rules.NeedFinalizer:
		return patch.AddFinalizer(ctx, s.r.Client, s.recorded().DeepCopy(), v1beta1.Finalizer)
	case rules.NeedParameters:
		return engine.WithReason(v1beta1.ReasonErrorWithParameters, s.r.readParameters(ctx, s))
	case rules.NeedSecret:
		return s.r.inspectSecret(ctx, s)
	case rules.NeedNamespace:
		return s.r.readNamespace(ctx, s)
	case rules.NeedPermission:
		return s.r.tryWrite(ctx, s)
	case rules.NeedSources:
		return s.r.readSources(ctx, s)
	default:
		return rules.UnknownNeed("ServiceBinding", need)
	}
}

// executeSecretAction writes the Secret as the last decision says.
func (s *scope) executeSecretAction(ctx context.Context) error {
	s.binding.Status, s.binding.ResourceVersion = s.next.Status, s.Before.GetResourceVersion()
	switch s.next.SecretAction {
	case bindingrules.WriteSecret:
		return s.r.writeSecret(ctx, s)
	default:
		return s.r.deleteSecret(ctx, s)
	}
}

// writeSecret writes the credentials into the Secret. If it cannot, they are dropped, and the conditions say why; it returns an error where
// a retry may help.
func (r *Reconciler) writeSecret(ctx context.Context, s *scope) error {
	received := s.memory.Received
	version, content, err := r.renderAndWrite(ctx, s, received)
	if err == nil {
		if before := s.inputs.SecretVersion; bindingrules.IsMadeBefore(&s.recorded().Status, s.inputs.BoundInstance.Instance) && before != "" && before != version {
			r.Recorder.Eventf(s.Before, nil, corev1.EventTypeNormal, v1beta1.ReasonInjectedBindResult, "Repair", "Secret %q has the credentials that the broker returned after the update of ServiceInstance %q",
				catalog.SecretName(s.binding), s.binding.Spec.InstanceRef.Name)
		}
		if received.Binding.SyslogDrainURL != "" {
			r.Recorder.Eventf(s.Before, nil, corev1.EventTypeWarning, v1beta1.ReasonUnsupportedBinding, "Bind", "The broker returned the URL of a log drain, to which Kubernetes sends no logs: it is in Secret %q as syslog_drain_url", catalog.SecretName(s.binding))
		}
		before, issued := s.binding.Status.Predecessors, s.binding.Status.IssuedAt
		s.binding.Status = bindingrules.ApplySecretWritten(s.binding, s.binding.Status, received.Binding, version, r.Clock.Now(), r.ServerTime())
		s.inputs.NoteIssue(issued, s.binding.Status.IssuedAt)
		if after := s.binding.Status.Predecessors; len(after) > len(before) {
			r.emitRotation(s, after[len(after)-1])
		}
		s.memory.RequestMemory = bindingrules.RequestMemory{}
		r.rememberSecret(s, received.BindingID, version)
		r.KeepPending(s.Scope)
		return nil
	}
	if errors.Is(err, brokers.ErrStopping) || errors.Is(err, patch.ErrStale) {
		return err
	}
	text := credentials.Message(err)
	s.binding.Status.InstanceFingerprint = s.recorded().Status.InstanceFingerprint
	own, ok := errors.AsType[*bindingsecret.Error](err)
	if !ok || own.Occupied && !r.secrets.ShowsOther(ctx, s.binding) { // otherwise no event may follow when the other Secret is deleted
		s.memory.RecordUnwritten(bindingrules.Unwritten{Judged: credentials.IsJudgement(err), Refused: bindingsecret.SizesOf(content.Beside(nil)), Time: r.Clock.Now()})
		return engine.WithReason(v1beta1.ReasonErrorInjectingBindResult, errors.New("The credentials cannot be put into the Secret: "+text))
	}
	s.binding.Status = bindingrules.ApplySecretRefused(s.binding, s.binding.Status, text, own.Occupied, r.Clock.Now())
	r.KeepPending(s.Scope)
	s.memory.RecordUnwritten(bindingrules.Unwritten{Unfit: !own.Foreign, SecretsVersion: s.inputs.SecretsVersion, InstanceFingerprint: bindingrules.RecordedFingerprint(s.inputs.BoundInstance.Instance), Message: text, Time: r.Clock.Now()})
	return nil
}

// emitRotation emits the event about new credentials. A former binding that this object may not delete is dropped from the record at the next
// step, which emits another event.
func (r *Reconciler) emitRotation(s *scope, former v1beta1.PredecessorBinding) {
	outcome := fmt.Sprintf("the former ones are deleted at the broker at %s or later", times.Format(former.RemoveAt.Time))
	if !s.inputs.OwnsPredecessor(s.binding, former.ID) {
		outcome = fmt.Sprintf("the former ones stay valid: the binding under the id %q is left at the broker, as the event Retained says", former.ID)
	}
	r.Recorder.Eventf(s.Before, nil, corev1.EventTypeNormal, v1beta1.ReasonInjectedBindResult, "Rotate", "Secret %q has new credentials; %s", catalog.SecretName(s.binding), outcome)
}

func (r *Reconciler) renderAndWrite(ctx context.Context, s *scope, received *bindingrules.Received) (version string, content bindingsecret.Content, err error) {
	b := s.binding
	err = r.withSources(ctx, s, times.RecordTimeout, func(others bindingsecret.Sources) (err error) {
		content, err = bindingsecret.Render(received.Binding.ForSecret(), b, bindingrules.ServiceOf(b, s.inputs), others)
		return err
	})
	if err != nil {
		return "", content, err
	}
	if err := s.Stopping(); err != nil {
		return "", content, err
	}
	version, err = r.secrets.Put(ctx, b, received.BindingID, content)
	return version, content, err
}

// tryWrite asks the API server whether it would accept the Secret now: the broker may return the credentials only once. A refusal of placeholders
// counts only where it has refused the credentials themselves.
func (r *Reconciler) tryWrite(ctx context.Context, s *scope) error {
	before := s.memory.Unwritten
	err := r.secrets.Try(ctx, s.binding, before.Refused)
	isCertain := credentials.ExceedsQuota(err)
	switch {
	case err == nil, credentials.IsJudgement(err) && !isCertain && !before.Judged:
		s.inputs.MayWrite = true
		return nil
	case errors.Is(err, patch.ErrStale):
		return err
	}
	s.memory.RecordRefusedAgain(isCertain, r.Clock.Now())
	return engine.WithReason(v1beta1.ReasonErrorInjectingBindResult, errors.New("The credentials cannot be put into the Secret: "+credentials.Message(err)))
}

// rememberSecret remembers id and version of the Secret's present content, until the cache shows it.
func (r *Reconciler) rememberSecret(s *scope, id, version string) {
	known := &s.memory
	known.SecretVersion, known.SecretID, known.Modified, known.SeenAt = version, id, false, r.Clock.Now()
	s.inputs.Secret, s.inputs.SecretID, s.inputs.SecretVersion = bindingrules.SecretInSync, id, version
}

// deleteSecret deletes the Secret. Its values are read before, for the redaction of the answer to the request that follows.
func (r *Reconciler) deleteSecret(ctx context.Context, s *scope) error {
	secret, err := r.readSecret(ctx, s.binding)
	var own client.Object
	switch {
	case err != nil: // such as one that the API server cannot decrypt, and can delete
		meta, seeErr := r.secrets.See(ctx, s.binding)
		if seeErr != nil || meta == nil || !bindingsecret.IsOwned(meta, s.binding) {
			return err
		}
		own = meta
	case secret != nil && bindingsecret.IsOwned(secret, s.binding):
		own = secret
	}
	if own != nil {
		if err := r.secrets.Remove(ctx, own); err != nil {
			return engine.WithReason(v1beta1.ReasonErrorEjectingServiceBinding, errors.New("The Secret cannot be deleted: "+credentials.Message(err)))
		}
		s.removed = secret
	}
	s.memory = bindingrules.Memory{RequestMemory: s.memory.RequestMemory, Overlaps: s.memory.Overlaps, Deleted: true}
	s.inputs.Secret, s.inputs.SecretID, s.inputs.SecretVersion = bindingrules.SecretAbsent, "", ""
	s.binding.Status.SecretVersion = ""
	return nil
}

// nextLook returns when to check the Secret again, whose deletion causes no event until the cache has shown it; zero: it has, or there is no
// Secret.
func (r *Reconciler) nextLook(ctx context.Context, s *scope) time.Time {
	now := r.Clock.Now()
	if s.inputs.Secret == bindingrules.SecretNotOwned && !r.secrets.ShowsOther(ctx, s.binding) {
		return now.Add(bindingrules.SecretCacheDelay)
	}
	at := s.memory.SeenAt.Add(bindingrules.SecretCacheDelay)
	if s.shown || s.memory.SecretVersion == "" || !at.After(now) {
		return time.Time{}
	}
	return at
}
