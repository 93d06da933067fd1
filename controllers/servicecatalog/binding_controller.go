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
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/credentials"
	"github.com/gophernetes/bellhop/internal/consistency"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	bindingrules "github.com/gophernetes/bellhop/internal/lifecycle/binding"
	"github.com/gophernetes/bellhop/internal/lifecycle/bindingsecret"
	"github.com/gophernetes/bellhop/internal/patch"
)

// maxCalls bounds the requests of one reconcile: one, and those that repeat it in the form that the broker requires, or fetch its result.
const maxCalls = 3

// BindingReconciler creates ServiceBindings at their brokers, and keeps the credentials in Secrets.
type BindingReconciler struct {
	*reconciler[*v1beta1.ServiceBinding, v1beta1.ServiceBindingStatus, bindingrules.Memory]
	lookup    bindingLookup
	instances *consistency.ObjectFreshness
	secrets   *credentials.Keeper
}

// bindingView is a binding during a reconcile.
type bindingView struct {
	*view[*v1beta1.ServiceBinding, v1beta1.ServiceBindingStatus, bindingrules.Memory]
	b     *v1beta1.ServiceBinding // the object
	world bindingrules.Inputs
	// calls is the number of requests of this reconcile; more: another one may follow at once.
	calls int
	more  bool
	// shown: the cache shows the Secret as this process knows it.
	shown bool
}

// StatusForBlocker returns the status of a binding whose reconcile is blocked.
func (v *bindingView) StatusForBlocker(why *lifecycle.Blocker, now time.Time) v1beta1.ServiceBindingStatus {
	v.world.Now = now
	return bindingrules.StatusForBlocker(v.b, v.world, why)
}

// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=servicebindings,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=servicebindings/status,verbs=patch
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=servicebindings/finalizers,verbs=update
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=serviceinstances,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch;update

// ReconcileObject observes, decides, executes and records.
func (r *BindingReconciler) ReconcileObject(ctx context.Context, of *view[*v1beta1.ServiceBinding, v1beta1.ServiceBindingStatus, bindingrules.Memory]) (ctrl.Result, error) {
	v := &bindingView{view: of, b: of.object}
	if err := r.look(ctx, v); err != nil {
		return ctrl.Result{}, fmt.Errorf("looking up what the binding refers to: %w", err)
	}
	if t := v.known.memory.Received; t != nil && t.Binding != nil { // the Secret may have changed
		v.known.memory.Received = &bindingrules.Received{BindingID: t.BindingID, Binding: t.Binding}
	}
	result, err := r.steps(ctx, v)
	v.known.memory.ForgetSettled(&v.b.Status, v.world.Secret, v.shown)
	return result, err
}

// steps takes steps until there is nothing to do, or to wait for.
func (r *BindingReconciler) steps(ctx context.Context, v *bindingView) (ctrl.Result, error) {
	for {
		next, err := r.decide(ctx, v)
		switch {
		case err != nil:
			return ctrl.Result{}, r.fail(ctx, v, err)
		case next.NeedFinalizer:
			return ctrl.Result{}, patch.AddFinalizer(ctx, r.client, v.before.DeepCopy(), v1beta1.Finalizer)
		case next.SecretAction != "":
			if err := r.do(ctx, v, next); err != nil {
				return ctrl.Result{}, r.fail(ctx, v, err)
			}
		case next.Request != nil && v.calls > 0 && (!v.more || v.calls >= maxCalls): // that is for another time, as it may wait for a slot
			return r.atOnce(&next.Status), r.record(ctx, v.view, v.b.Status)
		case next.Request != nil:
			if made, result, err := r.act(ctx, v, next); !made || err != nil {
				return result, err
			}
		default:
			return r.settle(ctx, v, next)
		}
	}
}

// decide decides, and reads what the decision needs.
func (r *BindingReconciler) decide(ctx context.Context, v *bindingView) (bindingrules.Decision, error) {
	for {
		v.world.Now, v.world.Memory = r.clock.Now(), v.known.memory.RequestMemory
		next := bindingrules.Decide(v.b, v.world)
		var err error
		switch {
		case next.NeedDefinition:
			v.known.definition, err = r.definition.state(ctx)
			v.world.Definition = v.known.definition
			err = inTheWay(v1beta1.ReasonErrorEjectingServiceBinding, err)
		case next.NeedParameters:
			err = inTheWay(v1beta1.ReasonErrorWithParameters, r.readParameters(ctx, v))
		case next.NeedSecret:
			err = r.lookAtSecret(ctx, v)
		default:
			return next, nil
		}
		if err != nil {
			return next, err
		}
	}
}

// do writes the Secret as a step says.
func (r *BindingReconciler) do(ctx context.Context, v *bindingView, next bindingrules.Decision) error {
	if next.WriteAhead {
		if err := r.record(ctx, v.view, next.Status); err != nil {
			return err
		}
	}
	v.b.Status = next.Status
	switch next.SecretAction {
	case bindingrules.WriteSecret:
		return r.inject(ctx, v)
	case bindingrules.ClearSecret:
		version, err := r.secrets.Put(ctx, v.b, "", nil)
		if err != nil {
			return inTheWay(v1beta1.ReasonErrorEjectingServiceBinding, fmt.Errorf("removing the credentials from the Secret: %s", credentials.Refusal(err, nil)))
		}
		r.wrote(v, "", version)
		v.b.Status = bindingrules.ApplySecretCleared(v.b.Status, version)
		return nil
	default:
		return r.eject(ctx, v)
	}
}

// inject writes the credentials into the Secret. If it cannot, the conditions say why; it returns an error where a retry may help.
func (r *BindingReconciler) inject(ctx context.Context, v *bindingView) error {
	t := v.known.memory.Received
	version, data, err := r.put(ctx, v.b, t)
	if err == nil {
		v.b.Status = bindingrules.ApplySecretWritten(v.b, v.b.Status, t.Binding, version, r.clock.Now())
		v.known.memory.RequestMemory = bindingrules.RequestMemory{NeedsApp: v.known.memory.NeedsApp, NeedsAsync: v.known.memory.NeedsAsync}
		r.wrote(v, t.BindingID, version)
		r.keep(v.view, v.b.Status)
		return nil
	}
	text := credentials.Refusal(err, data)
	own, ok := errors.AsType[*bindingsecret.Error](err)
	if !ok || own.Occupied && !r.secrets.ShowsOther(ctx, v.b) { // otherwise no event may follow when the other Secret is deleted
		return inTheWay(v1beta1.ReasonErrorInjectingBindResult, errors.New("The credentials cannot be put into the Secret: "+text))
	}
	v.b.Status = bindingrules.ApplySecretRefused(v.b, v.b.Status, text, own.Occupied, r.clock.Now())
	r.keep(v.view, v.b.Status)
	v.known.memory.Received = &bindingrules.Received{BindingID: t.BindingID, Binding: t.Binding, DoesNotFit: true}
	if !own.Foreign { // no Secret can hold them
		v.known.memory.Received.Binding = nil
	}
	return nil
}

func (r *BindingReconciler) put(ctx context.Context, b *v1beta1.ServiceBinding, t *bindingrules.Received) (version string, data map[string][]byte, err error) {
	others, err := r.secrets.Others(ctx, b)
	if err != nil {
		return "", nil, err
	}
	if data, err = bindingsecret.Render(t.Binding.Credentials, b, others); err != nil {
		return "", nil, err
	}
	version, err = r.secrets.Put(ctx, b, t.BindingID, data)
	return version, data, err
}

// wrote remembers what the Secret has now, until the cache shows it.
func (r *BindingReconciler) wrote(v *bindingView, id, version string) {
	known := &v.known.memory
	known.SecretVersion, known.SecretID, known.Modified, known.SeenAt = version, id, false, r.clock.Now()
	v.world.Secret, v.world.SecretID, v.world.SecretVersion = bindingrules.SecretInSync, id, version
}

// eject deletes the Secret.
func (r *BindingReconciler) eject(ctx context.Context, v *bindingView) error {
	var seen client.Object
	if meta, err := r.secrets.See(ctx, v.b); err != nil {
		return inTheWay(v1beta1.ReasonErrorEjectingServiceBinding, fmt.Errorf("looking up the binding's Secret: %s", apierrors.ReasonForError(err)))
	} else if meta != nil && bindingsecret.IsOwned(meta, v.b) {
		seen = meta
	} else {
		secret, err := r.readSecret(ctx, v.b)
		if err != nil {
			return err
		}
		if secret != nil && bindingsecret.IsOwned(secret, v.b) {
			seen = secret
		}
	}
	if seen != nil {
		if err := r.secrets.Remove(ctx, seen); err != nil {
			return inTheWay(v1beta1.ReasonErrorEjectingServiceBinding, errors.New("The Secret cannot be deleted: "+credentials.Refusal(err, nil)))
		}
	}
	v.known.memory = bindingrules.Memory{RequestMemory: v.known.memory.RequestMemory, Deleted: true}
	v.world.Secret, v.world.SecretID, v.world.SecretVersion = bindingrules.SecretAbsent, "", ""
	v.b.Status.SecretVersion = ""
	return nil
}

// settle records a step without a request.
func (r *BindingReconciler) settle(ctx context.Context, v *bindingView, next bindingrules.Decision) (ctrl.Result, error) {
	r.line.leave(client.ObjectKeyFromObject(v.b), &v.known.queued)
	if next.Release != nil {
		return ctrl.Result{}, r.letGo(ctx, v, *next.Release)
	}
	if err := r.record(ctx, v.view, next.Status); err != nil {
		return ctrl.Result{}, err
	}
	if next.Retained != nil {
		announceRelease(ctx, r.recorder, v.before, *next.Retained, r.isOpen(v.view))
		r.released(r.Name(), *next.Retained)
	}
	return sooner(r.later(next.RequeueAt, &next.Status), r.untilShown(ctx, v)), nil
}

// untilShown returns when to check the Secret again, whose deletion causes no event until the cache has shown it; 0: it has, or there
// is no Secret.
func (r *BindingReconciler) untilShown(ctx context.Context, v *bindingView) time.Duration {
	switch {
	case v.world.Secret == bindingrules.SecretNotOwned && !r.secrets.ShowsOther(ctx, v.b):
		return bindingrules.SecretCacheDelay
	case v.shown || v.known.memory.SecretVersion == "":
		return 0
	}
	return max(0, v.known.memory.SeenAt.Add(bindingrules.SecretCacheDelay).Sub(r.clock.Now()))
}

// letGo releases the object.
func (r *BindingReconciler) letGo(ctx context.Context, v *bindingView, why lifecycle.Cause) error {
	if err := r.release(ctx, v.view, why); err != nil {
		return err
	}
	if t := bindingrules.TargetOf(v.b, v.world); t != nil {
		r.claims.release(claimOf(v.b, v.b.Spec.ExternalID, t), v.b.UID)
	}
	return nil
}
