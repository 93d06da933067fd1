// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/instancerules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// maxRefusal bounds the API server's message in a condition.
const maxRefusal = 1024

// dashboardTimeout bounds the request for the URL of a dashboard: the success of the operation is recorded after it.
const dashboardTimeout = 5 * time.Second

// secretsOf returns the values of Secrets that the broker has, or is sent, as parameters of an instance; nil: there are no such values. They are
// read when an answer has text to show, and are complete where the Secrets have not changed since they were sent (R7).
func (r *Reconciler) secretsOf(ctx context.Context, s *scope, call *instancerules.Request) osb.Secrets {
	about := call.Operation
	sent := slices.DeleteFunc([]*v1beta1.ServiceInstancePropertiesState{s.instance.Status.ExternalProperties, s.instance.Status.InProgressProperties},
		func(props *v1beta1.ServiceInstancePropertiesState) bool {
			return rules.NonNil(props).ParameterChecksum == "" || props.ParametersVersion == "" && len(s.instance.Spec.ParametersFrom) == 0
		})
	isSending := (about == rules.Provision || about == rules.Update) && len(s.inputs.Parameters.Secrets) > 0
	if call.CleanUp && (len(sent) > 0 || len(s.instance.Spec.ParametersFrom) > 0) { // no status has the parameters sent under an id left behind
		return func() (values []string, all bool) { return nil, false }
	}
	if len(sent) == 0 && !isSending {
		return nil
	}
	return func() (values []string, all bool) {
		p := s.inputs.Parameters
		if !p.Known {
			var err error
			if p, err = engine.ParametersVersion(ctx, r.Index.Cache, s.instance.Namespace, s.instance.Spec.ParametersFrom); err == nil {
				p, err = r.ReadParameters(ctx, s.instance, parameterSources(s.instance), p)
			}
			if err != nil {
				return nil, false
			}
		}
		isOther := func(props *v1beta1.ServiceInstancePropertiesState) bool {
			same, isComparable := catalog.CompareDigests(props.ParametersDigest, p.Digest)
			return props.ParameterChecksum != p.Checksum || isComparable && !same
		}
		return p.Secrets, p.Blocker == nil && !slices.ContainsFunc(sent, isOther)
	}
}

// sendRequest sends a request. After an error none was sent.
func (r *Reconciler) sendRequest(ctx context.Context, s *scope, broker *osb.Client, call *instancerules.Request) (instancerules.Answer, error) {
	identity := engine.OriginatingIdentity(s.instance.Spec.UserInfo)
	if call.IsRemoval() {
		identity = nil // who deletes an object is not known, and an orphan mitigation is on behalf of no user
	}
	params := osb.Params{InstanceID: call.ID, ServiceID: call.ServiceID, PlanID: call.PlanID, AcceptsIncomplete: true,
		MayRepeat: s.MayRepeat, Identity: identity, Secrets: r.secretsOf(ctx, s, call)}
	switch call.Operation {
	case rules.Poll:
		return pollInstance(ctx, broker, params, call), nil
	case rules.Inspect:
		return inspectInstance(ctx, broker, params, s.inputs.Offering.Class), nil
	case rules.Deprovision:
		removal, out := broker.Deprovision(ctx, osb.RemovalRequest{Params: params})
		return instancerules.Answer{Outcome: out, Operation: removal.Operation}, nil
	case rules.Provision:
		return r.provisionInstance(ctx, s, broker, call, params)
	case rules.Update:
		return r.updateInstance(ctx, s, broker, call, params)
	case rules.Bind, rules.Unbind, rules.Fetch:
	}
	return instancerules.Answer{}, rules.UnknownOperation("ServiceInstance", call.Operation)
}

func (r *Reconciler) provisionInstance(ctx context.Context, s *scope, broker *osb.Client, call *instancerules.Request, params osb.Params) (instancerules.Answer, error) {
	where, space, err := r.OSBContext(ctx, s.instance.Namespace, s.instance.Name)
	if err != nil {
		return instancerules.Answer{}, err
	}
	made, out := broker.Provision(ctx, osb.ProvisionRequest{
		Params: params, Context: where, OrganizationGUID: where.ClusterID, SpaceGUID: space,
		Parameters: s.inputs.Parameters.Sent, MaintenanceVersion: call.Properties.MaintenanceVersion,
	})
	return instancerules.Answer{Outcome: out, Created: made.Created, DashboardURL: made.DashboardURL, Operation: made.Operation}, nil
}

func (r *Reconciler) updateInstance(ctx context.Context, s *scope, broker *osb.Client, call *instancerules.Request, params osb.Params) (instancerules.Answer, error) {
	where, _, err := r.OSBContext(ctx, s.instance.Namespace, s.instance.Name)
	if err != nil {
		return instancerules.Answer{}, err
	}
	request := osb.UpdateRequest{Params: params, Context: where,
		PreviousPlanID: call.PreviousPlanID, PreviousMaintenanceVersion: call.PreviousMaintenanceVersion}
	if !call.NewPlan {
		request.PlanID = ""
	}
	if call.NewParameters {
		if request.Parameters = s.inputs.Parameters.Sent; request.Parameters == nil {
			request.Parameters = []byte("{}") // all were removed
		}
	}
	if call.NewPlan || call.Properties.MaintenanceVersion != call.PreviousMaintenanceVersion {
		request.MaintenanceVersion = call.Properties.MaintenanceVersion
	}
	if request.PlanID == "" && request.Parameters == nil && request.MaintenanceVersion == "" && !s.inputs.Offering.Class.Common().AllowContextUpdates {
		request.Context = osb.Context{} // the broker accepts no update of the context alone
	}
	updated, out := broker.Update(ctx, request)
	return instancerules.Answer{Outcome: out, DashboardURL: updated.DashboardURL, Operation: updated.Operation}, nil
}

// pollInstance polls an operation, and fetches the instance for the URL of its dashboard where the request says so.
func pollInstance(ctx context.Context, broker *osb.Client, params osb.Params, call *instancerules.Request) instancerules.Answer {
	last, out := broker.Poll(ctx, osb.PollRequest{Params: params, Removal: call.IsRemoval(), Operation: call.LastOperation})
	a := instancerules.Answer{Outcome: out, State: last.State, OperationDescription: rules.DescriptionOf(last, out)}
	if !call.FetchDashboard || out.Class != osbresult.Done || last.State != osbresult.Succeeded {
		return a
	}
	if call.HasOtherPlans { // the plan of the poll may be the former one
		params.PlanID = ""
	}
	a.DashboardURL = fetchDashboard(ctx, broker, params)
	return a
}

// fetchDashboard returns the URL of an instance's dashboard; empty: it has none, or it could not be fetched, which is no failure of the operation
// that has succeeded.
func fetchDashboard(ctx context.Context, broker *osb.Client, params osb.Params) string {
	ctx, cancel := context.WithTimeout(ctx, dashboardTimeout)
	defer cancel()
	params.AcceptsIncomplete = false
	found, out := broker.FetchInstance(ctx, params)
	if out.Class != osbresult.Done || found == nil {
		return ""
	}
	return found.DashboardURL
}

// inspectInstance fetches the instance that a broker has under an id, or polls it where it cannot be fetched.
func inspectInstance(ctx context.Context, broker *osb.Client, params osb.Params, class v1beta1.Class) instancerules.Answer {
	params.AcceptsIncomplete = false
	if class.Common().InstanceRetrievable {
		found, out := broker.FetchInstance(ctx, params)
		return instancerules.Answer{Outcome: out, Instance: found}
	}
	last, out := broker.Poll(ctx, osb.PollRequest{Params: params})
	return instancerules.Answer{Outcome: out, State: last.State, OperationDescription: rules.DescriptionOf(last, out)}
}

// addFinalizerAndID adds finalizer and id to an instance that bypassed admission.
func (r *Reconciler) addFinalizerAndID(ctx context.Context, si *v1beta1.ServiceInstance) error {
	after := si.DeepCopy()
	after.Finalizers = append(after.Finalizers, v1beta1.Finalizer)
	if after.Spec.ExternalID == "" {
		after.Spec.ExternalID = catalog.NewID()
		if after.Annotations == nil {
			after.Annotations = map[string]string{}
		}
		after.Annotations[v1beta1.MadeIDAnnotation] = catalog.MadeID(after.Spec.ExternalID, r.Clock.Now())
	}
	return patch.RefusedOr(r.write(ctx, si, after))
}

// writeReferences writes the references of class and plan into the spec.
func (r *Reconciler) writeReferences(ctx context.Context, si *v1beta1.ServiceInstance, refs *instancerules.References) error {
	after := si.DeepCopy()
	catalog.SetRefs(&after.Spec, refs.Scope, refs.Refs)
	catalog.SetLabels(after, catalog.InstanceLabels(after))
	if err := r.write(ctx, si, after); err != nil {
		return err
	}
	if catalog.RefsOf(&after.Spec, refs.Scope) != refs.Refs {
		return fmt.Errorf("%w: %s %q and %s %q", errRefsNotSet, refs.Scope.ClassKind(), refs.Class, refs.Scope.PlanKind(), refs.Plan)
	}
	return nil
}

// errRefsNotSet is that no event follows the write: the webhook sets the references that its own replica's cache shows, which may be behind
// this one's.
var errRefsNotSet = errors.New("the webhook does not know yet what the references are to")

// refusedReferences is the blocker of an instance whose references the API server refuses. No event follows when an admission policy changes.
func refusedReferences(refs instancerules.References, err error) *rules.Blocker {
	return rules.BlockedBy(v1beta1.ReasonErrorWritingReferences, fmt.Sprintf("The API server refused the reference to %s %q, and the operator sends no request before it accepts it: %s",
		refs.Scope.PlanKind(), refs.Plan, redact.NewRedactor().Clean(err.Error(), maxRefusal)))
}

// write patches metadata and spec. The optimistic lock protects an object that was created again under the name.
func (r *Reconciler) write(ctx context.Context, before, after *v1beta1.ServiceInstance) error {
	return r.Client.Patch(ctx, after, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}
