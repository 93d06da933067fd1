/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package servicecatalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/kube"
	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// act makes the call of a step and takes what came of it into the view. If none was made
// it says when to go on.
func (r *BindingReconciler) act(ctx context.Context, v *bindingView, next bindingStep) (made bool, _ ctrl.Result, _ error) {
	broker, err := r.connections.to(ctx, v.world.broker)
	if err != nil {
		bad, ok := errors.AsType[*credentialsError](err)
		if !ok {
			return false, ctrl.Result{}, err
		}
		r.line.leave(client.ObjectKeyFromObject(v.b), &v.known.queued)
		b := v.world.broker
		v.world.problem = &word{v1beta1.ReasonErrorGettingAuthCredentials, fmt.Sprintf("%s %q: %s", catalog.ScopeOf(b).BrokerKind(), b.GetName(), bad.message)}
		result, err := r.settle(ctx, v, decideBinding(v.b, v.world))
		if bad.temporary && err == nil {
			err = bad
		}
		return false, result, err
	}
	entered, wait, leave := r.line.enter(v.b, &v.known.queued, keyOf(v.world.broker), next.call.verb)
	if !entered {
		result, err := r.queued(ctx, v, wait)
		return false, result, err
	}
	if next.journal || v.known.unrecorded != nil && v.calls == 0 { // what follows from an answer comes after its record
		if err := r.record(ctx, v, next.status); err != nil {
			leave(outbound.Result{Unasked: true})
			return false, ctrl.Result{}, err
		}
	}
	a, err := r.make(ctx, v, broker, next)
	if err != nil {
		leave(outbound.Result{Unasked: true})
		return false, ctrl.Result{}, r.fail(ctx, v, err)
	}
	leave(resultOf(a.Outcome))
	if a.Class == osb.NeedsCatalog {
		r.relist(keyOf(v.world.broker))
	}
	r.take(v, next, a)
	return true, ctrl.Result{}, nil
}

// make makes the call of a step. An error means that nothing was sent.
func (r *BindingReconciler) make(ctx context.Context, v *bindingView, broker *osb.Client, next bindingStep) (bindingAnswer, error) {
	before := v.b.Status
	v.b.Status = *next.status.DeepCopy()
	a, err := r.call(ctx, v, broker, next.call)
	if err != nil && !next.journal { // else it is on record
		v.b.Status = before
	}
	return a, err
}

// take takes an answer into the view.
func (r *BindingReconciler) take(v *bindingView, next bindingStep, a bindingAnswer) {
	call := next.call
	v.known.polled, v.known.asked = time.Time{}, 0
	if call.verb == poll || a.Class == osb.Accepted {
		v.known.polled, v.known.asked = r.clock.Now(), a.RetryAfter
	}
	v.calls++
	v.more = a.Class == osb.NeedsApp || a.Class == osb.NeedsAsync && call.verb == unbind || call.verb == poll && a.state == osb.Succeeded && !call.removal
	if a.binding != nil && a.binding.Credentials != nil { // those told before under the id are the broker's still
		key := secretsKey{uid: v.b.UID, id: call.id}
		r.recent.remember(key, slices.Concat(r.recent.of(key), secretsIn(a.binding.Credentials)))
	}
	v.known.bindingMemory = v.known.learn(v.b, *call, a)
	v.b.Status = foldBinding(v.b, next.status, *call, a, r.clock.Now())
	v.known.unrecorded, v.known.made = v.b.Status.DeepCopy(), r.orphanOf(v, call, a)
	v.world.polled, v.world.asked, v.world.firstSight = v.known.polled, v.known.asked, false
}

// orphanOf is what a call has made, should its object be gone when that is to be
// recorded; nil: nothing.
func (r *BindingReconciler) orphanOf(v *bindingView, call *bindingCall, a bindingAnswer) *orphan {
	accepted := a.Class == osb.Accepted
	if call.verb != bind || a.Class != osb.Done && !accepted && a.Class != osb.Unknown {
		return v.known.made
	}
	created := a.binding != nil && a.binding.Created
	wasReady := isBound(&v.before.Status)
	return &orphan{
		object: v.before, broker: keyOf(v.world.broker), ours: call.cleans() && !wasReady && (created || accepted),
		remove: osb.RemovalRequest{Params: params(call), BindingID: call.id},
	}
}

// queued is for a call that waits for a slot: at first in silence.
func (r *BindingReconciler) queued(ctx context.Context, v *bindingView, wait outbound.Wait) (ctrl.Result, error) {
	now := r.clock.Now()
	if patient := wait.Since.Add(patience); now.Before(patient) && v.known.unrecorded == nil {
		return ctrl.Result{RequeueAfter: kube.Until(patient, now)}, nil
	}
	result := ctrl.Result{RequeueAfter: askAgain}
	status := *v.b.Status.DeepCopy()
	if ready := conditionOf(status.Conditions, v1beta1.ConditionReady); !status.AsyncOpInProgress && (ready == nil || ready.Status != v1beta1.ConditionTrue || !v.b.DeletionTimestamp.IsZero()) {
		word := verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonQueued, message: whyQueued(wait.Cause)}
		if !v.b.DeletionTimestamp.IsZero() {
			word.ready, word.message = v1beta1.ConditionUnknown, word.message+". "+howToLetGo(v.b)
		}
		word.failed, _ = kept(status.Conditions)
		setBindingConditions(&status, word, now)
	}
	return result, r.record(ctx, v, status)
}

func params(call *bindingCall) osb.Params {
	return osb.Params{InstanceID: call.target.InstanceID, ServiceID: call.target.ServiceID, PlanID: call.target.PlanID}
}

// call makes a request. An error means that none was made.
func (r *BindingReconciler) call(ctx context.Context, v *bindingView, broker *osb.Client, call *bindingCall) (a bindingAnswer, err error) {
	p := params(call)
	p.Identity = asker(v.b)
	secrets, known, err := r.confidential(ctx, v)
	if err != nil {
		return a, err
	}
	p.Secrets = secrets
	effective := (&bindingDecision{w: v.world}).effective()
	switch call.verb {
	case bind:
		request := osb.BindRequest{Params: p, BindingID: call.id, PredecessorID: call.predecessor, Parameters: v.world.parameters.Sent, TopLevelAppGUID: v.known.app}
		request.AcceptsIncomplete = effective.BindingRetrievable // else nobody could get the credentials
		if request.Context, request.AppGUID, err = r.context(ctx, v); err != nil {
			return a, inTheWay(v1beta1.ReasonErrorGettingClusterID, err)
		}
		a.binding, a.Outcome = broker.Bind(ctx, request)
	case fetch:
		a.binding, a.Outcome = broker.FetchBinding(ctx, p, call.id)
	case poll:
		request := osb.PollRequest{Params: p, BindingID: call.id, Removal: call.removal}
		if op := v.b.Status.LastOperation; op != nil {
			request.Operation = *op
		}
		var last osb.LastOperation
		last, a.Outcome = broker.Poll(ctx, request)
		a.state, a.words = last.State, last.Description
	default:
		p.AcceptsIncomplete = effective.BindingRetrievable || v.known.async
		var removal osb.RemovalResponse
		removal, a.Outcome = broker.Unbind(ctx, osb.RemovalRequest{Params: p, BindingID: call.id})
		a.operation = removal.Operation
	}
	if !known && a.Status != 0 {
		a.Description, a.Code, a.words = unshown, "", ""
	}
	return a, nil
}

// asker is who a request is made for; nil: nobody, or it is not known who has asked for
// other credentials.
func asker(b *v1beta1.ServiceBinding) *osb.Identity {
	s := &b.Status
	replaces := s.Rebind != "" || s.ExternalID != "" || s.PredecessorID != "" || s.CurrentOperation == v1beta1.OperationUnbind
	if b.DeletionTimestamp.IsZero() && (replaces || s.OrphanMitigationInProgress) {
		return nil
	}
	return identityOf(b.Spec.UserInfo)
}

// unshown stands for what a broker says where that may have secrets that are not known.
const unshown = "what the broker says is not shown, since it may repeat secrets that are not known here any more; look at the broker's log"

// context is what a broker is told of where a binding is, and what for.
func (r *BindingReconciler) context(ctx context.Context, v *bindingView) (where osb.Context, app string, err error) {
	where = osb.Context{Namespace: v.b.Namespace, InstanceName: v.b.Spec.InstanceRef.Name}
	if where.ClusterID, err = r.clusterID.get(ctx); err != nil {
		return where, "", err
	}
	app, err = namespaceUID(ctx, r.client, v.b.Namespace)
	return where, app, err
}

// confidential are the secrets that the broker has of the binding, or has given out, so
// that no text of its is repeated with them. If they are not all known no text is.
func (r *BindingReconciler) confidential(ctx context.Context, v *bindingView) (secrets []string, known bool, err error) {
	secrets, known = r.parametersOf(ctx, v)
	for _, id := range givenOut(v.b) {
		credentials, all, err := r.credentialsOf(ctx, v.b, id)
		if err != nil {
			return nil, false, err
		}
		secrets, known = append(secrets, credentials...), known && all
	}
	if t := v.known.told; t != nil && t.binding != nil {
		secrets = append(secrets, secretsIn(t.binding.Credentials)...)
	}
	return secrets, known, nil
}

// parametersOf are the secrets among the parameters that the broker has, or is sent;
// known: they are all.
func (r *BindingReconciler) parametersOf(ctx context.Context, v *bindingView) (secrets []string, known bool) {
	if len(v.b.Spec.ParametersFrom) == 0 {
		return nil, true
	}
	known = true
	for _, props := range []*v1beta1.ServiceBindingPropertiesState{v.b.Status.ExternalProperties, v.b.Status.InProgressProperties} {
		if props == nil {
			continue
		}
		has := r.recent.of(secretsKey{uid: v.b.UID, parameters: props.ParameterChecksum})
		if has == nil && !v.world.parameters.known {
			if err := r.readParameters(ctx, v); err != nil {
				return nil, false
			}
		}
		secrets, known = append(secrets, has...), known && (has != nil || v.world.parameters.Checksum == props.ParameterChecksum)
	}
	return append(secrets, v.world.parameters.Secrets...), known
}

// givenOut are the ids of a binding whose credentials the broker has told.
func givenOut(b *v1beta1.ServiceBinding) (ids []string) {
	s := &b.Status
	if s.PredecessorID != "" {
		ids = append(ids, s.PredecessorID)
	}
	if rotates := s.PredecessorID != "" && s.CurrentOperation == v1beta1.OperationBind; isBound(s) && !rotates {
		ids = append(ids, bindingID(b, s))
	}
	return ids
}

// credentialsOf are the secrets in what the broker has told under an id; known: they are
// all.
func (r *BindingReconciler) credentialsOf(ctx context.Context, b *v1beta1.ServiceBinding, id string) (secrets []string, known bool, err error) {
	if secrets := r.recent.of(secretsKey{uid: b.UID, id: id}); secrets != nil {
		return secrets, true, nil
	}
	secret, err := r.readSecret(ctx, b)
	if err != nil {
		return nil, false, err
	}
	if secret == nil || !hasAll(secret, b, id) {
		return nil, false, nil
	}
	secrets = secretsOf(secret.Data)
	r.recent.remember(secretsKey{uid: b.UID, id: id}, secrets)
	return secrets, true, nil
}

// hasAll says whether a Secret has all that the broker has told under an id: nobody has
// changed what was written, and nothing was taken from it before.
func hasAll(secret *corev1.Secret, b *v1beta1.ServiceBinding, id string) bool {
	record, ok := parseRecord(secret.Annotations[v1beta1.CredentialsAnnotation])
	return ok && isOurs(secret, b) && len(b.Spec.SecretTransforms) == 0 && record.isIn(secret.Data, id)
}

// recall keeps in mind what the Secret has, before that goes: the broker may repeat it.
func (r *BindingReconciler) recall(ctx context.Context, v *bindingView) error {
	for _, id := range givenOut(v.b) {
		if _, _, err := r.credentialsOf(ctx, v.b, id); err != nil {
			return err
		}
	}
	return nil
}

const (
	// maxRecent is of how many it is known what secrets they have, and maxRemembered how
	// many bytes of each.
	maxRecent, maxRemembered = 1024, 4 << 10
)

// recent are the secrets of objects that were lately worked on. Of others they would have
// to be read again.
type recent struct{ secrets *lru.Cache } // → []string

// secretsKey is what secrets of a binding are known by: the id that they were told under,
// or the checksum of the parameters that they are among.
type secretsKey struct {
	uid            types.UID
	id, parameters string
}

func newRecent() *recent { return &recent{lru.New(maxRecent)} }

// remember keeps all secrets of something. If they are too many, none are known.
func (r *recent) remember(of any, secrets []string) {
	secrets = slices.Compact(slices.Sorted(slices.Values(secrets)))
	size := 0
	for _, s := range secrets {
		size += len(s)
	}
	if size > maxRemembered {
		r.secrets.Remove(of)
		return
	}
	r.secrets.Add(of, append([]string{}, secrets...)) // which is not nil
}

// of is what is known of something; nil: nothing.
func (r *recent) of(of any) []string {
	if secrets, ok := r.secrets.Get(of); ok {
		return secrets.([]string)
	}
	return nil
}

func (r *recent) forget(of any) { r.secrets.Remove(of) }
