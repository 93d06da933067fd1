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

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

// lists are what is looked at of a namespace.
func lists() []client.ObjectList {
	return []client.ObjectList{
		&pagerv1beta1.AlertList{}, &pagerv1beta1.ReceiverList{},
		&v1beta1.ServiceBrokerList{}, &v1beta1.ServiceClassList{}, &v1beta1.ServicePlanList{},
		&v1beta1.ServiceInstanceList{}, &v1beta1.ServiceBindingList{}, &corev1.SecretList{},
	}
}

// objects are all of the run.
func (w *world) objects() (all []client.Object, err error) {
	for _, list := range lists() {
		if err := w.lab.client.List(context.WithoutCancel(w.ctx), list, client.InNamespace(w.namespace)); err != nil {
			return nil, err
		}
		items := reflect.ValueOf(list).Elem().FieldByName("Items")
		for i := range items.Len() {
			all = append(all, items.Index(i).Addr().Interface().(client.Object))
		}
	}
	return all, nil
}

// state is how the world is, without what differs from run to run.
func (w *world) state() string {
	all, err := w.objects()
	if err != nil {
		return err.Error()
	}
	var lines []string
	for _, o := range all {
		lines = append(lines, describe(o))
	}
	if w.broker != nil {
		holds := w.broker.Holds()
		for _, i := range holds.Instances {
			lines = append(lines, fmt.Sprintf("broker has instance of %s/%s %s %s", i.ServiceID, i.PlanID, i.State, i.Parameters))
		}
		for _, b := range holds.Bindings {
			lines = append(lines, fmt.Sprintf("broker has binding of %s/%s %s %s", b.ServiceID, b.PlanID, b.State, b.Parameters))
		}
	}
	slices.Sort(lines)
	return strings.Join(append(lines, w.messages()...), "\n")
}

var (
	volatileKey = regexp.MustCompile(`(?i)(time|timestamp|version|hash|message|attempts|triedwith|testedwith|uid|managedfields|resourceversion|annotations|labels|ownerreferences|finalizers|lastoperation|url|catalogdigest|catalogetag|lasterror|waiting|answerlost|uncertain|sequence|externalid|redacted)$`)
	randomText  = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|run-[a-z0-9]{5}`)
)

// describe is an object without what differs from run to run.
func describe(o client.Object) string {
	text, err := json.Marshal(o)
	if err != nil {
		return err.Error()
	}
	var value map[string]any
	if err := json.Unmarshal(text, &value); err != nil {
		return err.Error()
	}
	if s, ok := o.(*corev1.Secret); ok {
		value["data"] = slices.Sorted(maps.Keys(s.Data))
	}
	text, err = json.Marshal(lasting(value))
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%T ", o)[1:] + o.GetName() + " " + randomText.ReplaceAllString(string(text), "…")
}

// lasting drops what differs from run to run.
func lasting(value any) any {
	switch v := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for key, member := range v {
			if key == "deletionTimestamp" || !volatileKey.MatchString(key) {
				kept[key] = lasting(member)
			}
			if rows, ok := kept[key].([]any); ok && key == "deliveries" { // a map by name: those told at once come in any order
				slices.SortFunc(rows, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
			}
		}
		return kept
	case []any:
		for i := range v {
			v[i] = lasting(v[i])
		}
	}
	return value
}

// alike says whether a run ended as it should.
func alike(sc scenario, state, expected string) bool {
	if sc.hurried {
		return messageLine.ReplaceAllString(state, "") == messageLine.ReplaceAllString(expected, "")
	}
	if sc.uncertain {
		return certain(state) == certain(expected)
	}
	return state == expected
}

var (
	alertStatus = regexp.MustCompile(`(?m)^(v1beta1\.Alert .*)"status":.*$`)
	messageLine = regexp.MustCompile(`(?m)^[a-z]+ alert\..*\n?`)
)

// certain leaves out whether what is told at most once was told.
func certain(state string) string {
	return strings.TrimSpace(messageLine.ReplaceAllString(alertStatus.ReplaceAllString(state, "$1"), ""))
}

// difference is what has to be and is not, and the other way round.
func difference(expected, state string) string {
	var lines []string
	want, have := strings.Split(expected, "\n"), strings.Split(state, "\n")
	for _, line := range want {
		if !slices.Contains(have, line) {
			lines = append(lines, "  - "+line)
		}
	}
	for _, line := range have {
		if !slices.Contains(want, line) {
			lines = append(lines, "  + "+line)
		}
	}
	return strings.Join(lines, "\n")
}

// check looks at all that has to hold of any state at rest.
func (w *world) check() {
	all, err := w.objects()
	if err != nil {
		w.blame("looking at the end: %v", err)
		return
	}
	w.checkBroker(all)
	w.checkSecrets(all)
	w.checkCanaries(all)
	for name, in := range w.inboxes {
		for _, m := range in.Messages() {
			if m.Attempts > 1 && w.atMostOnce {
				w.blame("receiver %s was told %d times of %s", name, m.Attempts, m.Event)
			}
		}
		if n := in.Refused(); n > 0 {
			w.blame("receiver %s had to refuse %d requests", name, n)
		}
	}
}

// idOf is the id that an object claims at the broker.
func idOf(o client.Object) string {
	switch o := o.(type) {
	case *v1beta1.ServiceInstance:
		if o.Status.ExternalID != "" {
			return o.Status.ExternalID
		}
		return o.Spec.ExternalID
	case *v1beta1.ServiceBinding:
		if o.Status.ExternalID != "" {
			return o.Status.ExternalID
		}
		return o.Spec.ExternalID
	}
	return ""
}

// isReady says what an object claims.
func isReady(o client.Object) bool {
	var conditions []v1beta1.Condition
	switch o := o.(type) {
	case *v1beta1.ServiceInstance:
		conditions = o.Status.Conditions
	case *v1beta1.ServiceBinding:
		conditions = o.Status.Conditions
	}
	return slices.ContainsFunc(conditions, func(c v1beta1.Condition) bool { return c.Type == v1beta1.ConditionReady && c.Status == "True" })
}

// checkBroker compares what the broker has with what objects claim.
func (w *world) checkBroker(all []client.Object) {
	if w.broker == nil {
		return
	}
	claimed := map[string]client.Object{}
	for _, o := range all {
		if id := idOf(o); id != "" {
			claimed[id] = o
		}
	}
	held := w.held()
	for id := range held {
		if claimed[id] == nil && !w.left[id] && !w.strangers[id] {
			w.blame("the broker has %s, which no object claims", id)
		}
	}
	for id, o := range claimed {
		if isReady(o) && !held[id] {
			w.blame("%s is Ready, and the broker has nothing of its id", o.GetName())
		}
	}
	for id := range w.strangers {
		if !held[id] {
			w.blame("the broker has lost %s, which is not ours", id)
		}
	}
	for _, violation := range w.broker.Violations() {
		w.blame("against the protocol: %s", violation)
	}
}

// held are the ids that the broker has.
func (w *world) held() map[string]bool {
	held := map[string]bool{}
	holds := w.broker.Holds()
	for id := range holds.Instances {
		held[id] = true
	}
	for id := range holds.Bindings {
		held[id] = true
	}
	return held
}

// checkSecrets compares Secrets of bindings with what the broker told.
func (w *world) checkSecrets(all []client.Object) {
	if w.broker == nil {
		return
	}
	secrets, owners := map[string]*corev1.Secret{}, map[string]bool{}
	for _, o := range all {
		if s, ok := o.(*corev1.Secret); ok {
			secrets[s.Name] = s
		}
		owners[string(o.GetUID())] = true
	}
	for _, s := range secrets {
		for _, owner := range s.OwnerReferences {
			if owner.Kind == "ServiceBinding" && !owners[string(owner.UID)] {
				w.blame("Secret %s belongs to a binding that is gone", s.Name)
			}
		}
	}
	for _, o := range all {
		b, ok := o.(*v1beta1.ServiceBinding)
		if !ok || !isReady(b) {
			continue
		}
		var told struct{ Password string }
		_ = json.Unmarshal(w.broker.Holds().Bindings[idOf(b)].Credentials, &told) // nothing is nothing
		name := b.Spec.SecretName
		if name == "" {
			name = b.Name
		}
		switch s := secrets[name]; {
		case s == nil:
			w.blame("binding %s is Ready without its Secret", b.Name)
		case told.Password == "" || string(s.Data["password"]) != told.Password:
			w.blame("the Secret of binding %s has other credentials than the broker", b.Name)
		}
	}
}

// checkCanaries looks for credentials where others can read them.
func (w *world) checkCanaries(all []client.Object) {
	places := map[string]string{}
	for _, o := range all {
		if _, ok := o.(*corev1.Secret); !ok {
			text, _ := json.Marshal(o)
			places[fmt.Sprintf("%T %s", o, o.GetName())] = string(text)
		}
	}
	var events eventsv1.EventList
	if err := w.lab.client.List(w.ctx, &events, client.InNamespace(w.namespace)); err != nil {
		w.blame("reading events: %v", err)
	}
	for _, e := range events.Items {
		places["event "+e.Reason] += e.Note
	}
	if place := canary.Find(places, canary.Value); place != "" {
		w.blame("a credential is in %s", place)
	}
}

// checkLog looks at what the processes have printed, and at the goroutines that the last
// one had at rest.
func (w *world) checkLog(log string, atRest bool) {
	log, dump, _ := strings.Cut(log, "SIGQUIT: quit")
	if strings.Contains(log, "panic") {
		at := strings.Index(log, "panic")
		w.blame("it panicked: %s", log[at:min(len(log), at+400)])
	}
	if place := canary.Find(map[string]string{"the log": log}, canary.Value); place != "" {
		w.blame("a credential is in %s", place)
	}
	if !atRest {
		return
	}
	for stack := range strings.SplitSeq(dump, "\n\n") {
		if strings.Contains(stack, "bellhop/internal/outbound") || strings.Contains(stack, ".Reconcile(") {
			w.blame("at rest a goroutine is left: %s", stack[:min(len(stack), 1500)])
		}
	}
}

// guard sees each request to the broker before it is carried out: nothing may be removed
// that a living object says is ready, or that is not ours.
func (w *world) guard(_ string, r *http.Request) {
	if r.Method != http.MethodDelete {
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	id := parts[len(parts)-1]
	if w.strangers[id] {
		w.blame("DELETE of %s, which is not ours", id)
	}
	for _, list := range []client.ObjectList{&v1beta1.ServiceInstanceList{}, &v1beta1.ServiceBindingList{}} {
		if err := w.lab.client.List(r.Context(), list, client.InNamespace(w.namespace)); err != nil {
			w.blame("looking at who claims %s: %v", id, err)
			return
		}
		items := reflect.ValueOf(list).Elem().FieldByName("Items")
		for i := range items.Len() {
			o := items.Index(i).Addr().Interface().(client.Object)
			if idOf(o) == id && o.GetDeletionTimestamp().IsZero() && isReady(o) {
				w.blame("DELETE of %s, which %s has, is Ready with, and keeps", id, o.GetName())
			}
		}
	}
}

// watch sees objects go: before, nothing may be left of them outside.
func (w *world) watch() (stop func()) {
	var ended []chan struct{}
	for _, list := range []client.ObjectList{&v1beta1.ServiceInstanceList{}, &v1beta1.ServiceBindingList{}} {
		seen, err := w.lab.client.Watch(w.ctx, list, client.InNamespace(w.namespace))
		if err != nil {
			w.blame("watching: %v", err)
			continue
		}
		end := make(chan struct{})
		ended = append(ended, end)
		go func() {
			defer close(end)
			defer seen.Stop()
			for {
				select {
				case <-w.ctx.Done():
					return
				case e, ok := <-seen.ResultChan():
					if !ok {
						return
					}
					if e.Type == watch.Deleted {
						w.departed(e.Object.(client.Object))
					}
				}
			}
		}()
	}
	return func() {
		for _, end := range ended {
			<-end
		}
	}
}

// departed is for an object that has just gone.
func (w *world) departed(o client.Object) {
	if w.broker == nil {
		return
	}
	if id := idOf(o); w.held()[id] && !w.left[id] && !w.strangers[id] {
		w.blame("%s is gone, and the broker still has %s", o.GetName(), id)
	}
}

// clean removes what is left of the run, whoever wants to keep it.
func (w *world) clean() {
	ctx := context.WithoutCancel(w.ctx)
	all, err := w.objects()
	if err != nil {
		return
	}
	for _, o := range all {
		if len(o.GetFinalizers()) > 0 {
			bare := o.DeepCopyObject().(client.Object)
			bare.SetFinalizers(nil)
			_ = w.lab.client.Patch(ctx, bare, client.MergeFrom(o)) // best effort: it is only for the machine's sake
		}
		_ = w.lab.client.Delete(ctx, o)
	}
}
