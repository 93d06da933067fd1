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
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

// oracles are what is looked at of each run, by what they say of one that goes wrong.
var oracles = []struct {
	name string
	says *regexp.Regexp
}{
	{"reached", regexp.MustCompile(`: not within `)},
	{"end", regexp.MustCompile(`^it ends otherwise than without faults`)},
	{"rest", regexp.MustCompile(`^it does not come to rest`)},
	{"orphan", regexp.MustCompile(`^the broker has .*, which no object claims`)},
	{"recorded", regexp.MustCompile(`^PUT of .*, which no object has`)},
	{"finalizer", regexp.MustCompile(` is gone, and the broker still has `)},
	{"truth", regexp.MustCompile(` is Ready, and the broker has nothing of its id| says that .* who was not$`)},
	{"in use", regexp.MustCompile(`^DELETE of .* uses, and keeps`)},
	{"stranger", regexp.MustCompile(`which is not ours`)},
	{"protocol", regexp.MustCompile(`^against the protocol`)},
	{"once", regexp.MustCompile(`^receiver .* was told \d+ times`)},
	{"key", regexp.MustCompile(`^receiver .* was told of .* under the key of`)},
	{"refused", regexp.MustCompile(`^receiver .* had to refuse`)},
	{"secret", regexp.MustCompile(`^Secret .* belongs to a binding that is gone|is Ready without its Secret|has other credentials than the broker|has credentials that the broker has not|whose credentials are in Secret|^the Secret of somebody else`)},
	{"canary", regexp.MustCompile(`^a credential is in`)},
	{"panic", regexp.MustCompile(`^it panicked`)},
	{"asked", regexp.MustCompile(`^nothing was refused, and the user had to ask`)},
	{"goroutine", regexp.MustCompile(`^at rest a goroutine is left`)},
}

// oracleOf is the one that says something; "": none of them.
func oracleOf(problem string) string {
	for _, o := range oracles {
		if o.says.MatchString(problem) {
			return o.name
		}
	}
	return ""
}

// lists are what is looked at of a world.
func (w *world) lists() []client.ObjectList {
	lists := []client.ObjectList{
		&pagerv1beta1.AlertList{}, &v1beta1.ServiceInstanceList{}, &v1beta1.ServiceBindingList{}, &corev1.SecretList{},
	}
	if w.clusterWide {
		return append(lists, &pagerv1beta1.ClusterReceiverList{},
			&v1beta1.ClusterServiceBrokerList{}, &v1beta1.ClusterServiceClassList{}, &v1beta1.ClusterServicePlanList{})
	}
	return append(lists, &pagerv1beta1.ReceiverList{},
		&v1beta1.ServiceBrokerList{}, &v1beta1.ServiceClassList{}, &v1beta1.ServicePlanList{})
}

// within has a list show what is of the world.
func (w *world) within(list client.ObjectList) client.ListOption {
	switch list.(type) {
	case *pagerv1beta1.ClusterReceiverList, *v1beta1.ClusterServiceBrokerList, *v1beta1.ClusterServiceClassList, *v1beta1.ClusterServicePlanList:
		return client.MatchingLabels{runLabel: w.namespace}
	}
	return client.InNamespace(w.namespace)
}

// objects are all of the run.
func (w *world) objects() (all []client.Object, err error) {
	for _, list := range w.lists() {
		if err := w.lab.client.List(context.WithoutCancel(w.ctx), list, w.within(list)); err != nil {
			return nil, err
		}
		if err := meta.EachListItem(list, func(o runtime.Object) error {
			all = append(all, o.(client.Object))
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// nothingLeft is the state of a world that has nothing: no text would be taken for none that is known yet.
const nothingLeft = "nothing is left"

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
			lines = append(lines, fmt.Sprintf("broker has instance of %s/%s %s %s", i.ServiceID, i.PlanID, i.State, ofSome(i.Parameters)))
		}
		for _, b := range holds.Bindings {
			lines = append(lines, fmt.Sprintf("broker has binding of %s/%s %s %s", b.ServiceID, b.PlanID, b.State, ofSome(b.Parameters)))
		}
	}
	slices.Sort(lines)
	return cmp.Or(plain(strings.Join(append(lines, w.messages()...), "\n")), nothingLeft)
}

// ofSome takes empty parameters for none: they are sent to undo what may have been sent before.
func ofSome(parameters json.RawMessage) json.RawMessage {
	if string(parameters) == "{}" {
		return nil
	}
	return parameters
}

var (
	volatileKey = regexp.MustCompile(`(?i)(time|timestamp|version|hash|message|attempts|lastattemptedreceiver|testedwith|uid|managedfields|resourceversion|annotations|labels|lastoperation|url|catalogdigest|catalogetag|lasterror|waiting|answerlost|outcomeunknown|sequence|externalid|lastremovedid|redacted|expiresat|renewbefore)$`)
	// becameReady is how something became Ready, which depends on what a fault has kept from being sent.
	becameReady = strings.NewReplacer("InstanceUpdatedSuccessfully", "ProvisionedSuccessfully")
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
	return fmt.Sprintf("%T ", o)[1:] + plain(o.GetName()) + " " + becameReady.Replace(randomText.ReplaceAllString(plain(string(text)), "…"))
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

// check looks at all that has to hold: of what is at rest, or also of what is under way.
func (w *world) check(atRest bool) {
	all, err := w.objects()
	if err != nil {
		w.blame("looking at what is there: %v", err)
		return
	}
	if atRest {
		w.checkBroker(all)
		w.checkSecrets(all)
	}
	for _, o := range all {
		w.checkCanary(o)
	}
	w.checkEvents()
	w.checkReceivers(all)
	if w.broker == nil {
		return
	}
	for _, violation := range w.broker.Violations() {
		w.blame("against the protocol: %s", violation)
	}
}

// idOf is the id that an object claims at the broker.
func idOf(o client.Object) string {
	switch o := o.(type) {
	case *v1beta1.ServiceInstance:
		return cmp.Or(o.Status.ExternalID, o.Spec.ExternalID)
	case *v1beta1.ServiceBinding:
		return cmp.Or(o.Status.ExternalID, o.Spec.ExternalID)
	}
	return ""
}

// idsOf are all that an object has on record.
func idsOf(o client.Object) []string {
	switch o := o.(type) {
	case *v1beta1.ServiceInstance:
		return []string{o.Spec.ExternalID, o.Status.ExternalID}
	case *v1beta1.ServiceBinding:
		return []string{o.Spec.ExternalID, o.Status.ExternalID, o.Status.PredecessorID}
	}
	return nil
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

// usedID is of what the broker holds for an object, whether that is as it should be now or not;
// empty: it has nothing that could be used.
func usedID(o client.Object) string {
	si, ok := o.(*v1beta1.ServiceInstance)
	if !isReady(o) && (!ok || si.Status.ProvisionStatus != v1beta1.Provisioned) {
		return ""
	}
	if b, ok := o.(*v1beta1.ServiceBinding); ok && b.Status.OrphanMitigationInProgress { // of what was to replace it
		return b.Status.PredecessorID
	}
	return idOf(o)
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
		if claimed[id] == nil && !w.left.has(id) && !w.strangers.has(id) {
			w.blame("the broker has %s, which no object claims", id)
		}
	}
	for id, o := range claimed {
		if isReady(o) && !held[id] {
			w.blame("%s is Ready, and the broker has nothing of its id", o.GetName())
		}
	}
	for id := range w.strangers.all {
		if !held[id] {
			w.blame("the broker has lost %s, which is not ours", id)
		}
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
	held := w.broker.Holds().Bindings
	live := map[string]bool{"": true}
	for _, b := range held {
		live[passwordOf(b)] = true
	}
	for _, s := range secrets {
		for _, owner := range s.OwnerReferences {
			switch {
			case owner.Kind != "ServiceBinding":
			case !owners[string(owner.UID)]:
				w.blame("Secret %s belongs to a binding that is gone", s.Name)
			case !live[string(s.Data["password"])]:
				w.blame("Secret %s has credentials that the broker has not", s.Name)
			}
		}
	}
	for _, o := range all {
		b, ok := o.(*v1beta1.ServiceBinding)
		if !ok || !isReady(b) {
			continue
		}
		told := passwordOf(held[idOf(b)])
		switch s := secrets[catalog.SecretName(b)]; {
		case s == nil:
			w.blame("binding %s is Ready without its Secret", b.Name)
		case told == "" || string(s.Data["password"]) != told:
			w.blame("the Secret of binding %s has other credentials than the broker", b.Name)
		}
	}
}

// plainCanary is a credential of those who take no others than letters.
const plainCanary = "plainCanaryCredential"

// checkText looks for credentials in what stands in a place.
func (w *world) checkText(place, text string) {
	for _, credential := range []string{canary.Value, plainCanary} {
		if canary.Find(map[string]string{place: text}, credential) != "" {
			w.blame("a credential is in %s", place)
		}
	}
}

// checkCanary looks for credentials in an object, where others can read them.
func (w *world) checkCanary(o client.Object) {
	if _, ok := o.(*corev1.Secret); !ok {
		text, _ := json.Marshal(o)
		w.checkText(fmt.Sprintf("%T %s", o, o.GetName()), string(text))
	}
}

// checkEvents looks for them in events, also in those about what belongs to the cluster.
func (w *world) checkEvents() {
	namespaces := []string{w.namespace}
	if w.clusterWide {
		namespaces = append(namespaces, metav1.NamespaceDefault)
	}
	for _, namespace := range namespaces {
		var events eventsv1.EventList
		if err := w.lab.client.List(w.ctx, &events, client.InNamespace(namespace)); err != nil {
			w.blame("reading events: %v", err)
		}
		for i := range events.Items {
			if e := &events.Items[i]; e.Namespace == w.namespace || strings.HasPrefix(e.Regarding.Name, w.own("")) {
				w.checkCanary(e)
			}
		}
	}
}

// calledBy are the functions in a goroutine's stack.
var calledBy = regexp.MustCompile(`(?m)^[^\s(]+\.[^\s]+`)

// ours matches a stack with a function of this module. Paths of files, which come after a tab, may have its name too.
var ours = regexp.MustCompile(`(?m)^(created by )?github\.com/gophernetes/bellhop/`)

// standing are goroutines that live as long as the process.
var standing = regexp.MustCompile(`operator\.ReturnMemory|operator\.\(\*eventSender\)\.Start|pager\.\(\*AlertReconciler\)\.drain`)

// fatal is what the runtime prints of a panic, and the race detector of a race.
var fatal = regexp.MustCompile(`panic|WARNING: DATA RACE`)

// checkLog looks at what the processes have printed, and at the goroutines that the last
// one had at rest.
func (w *world) checkLog(log string, atRest bool) {
	log, dump, _ := strings.Cut(log, "SIGQUIT: quit")
	if at := fatal.FindStringIndex(log); at != nil {
		w.blame("it panicked: %s", log[at[0]:min(len(log), at[0]+400)])
	}
	w.checkText("the log", log)
	if !atRest {
		return
	}
	for stack := range strings.SplitSeq(dump, "\n\n") {
		if ours.MatchString(stack) && !standing.MatchString(stack) {
			w.blame("at rest a goroutine is left: %s", strings.Join(calledBy.FindAllString(stack, -1), " < "))
		}
	}
}

// guard sees each request to the broker before it is carried out. What is asked for has to
// be on record; nothing may be removed that a living object says is ready, or that is not
// ours; and nobody may still be given credentials that end.
func (w *world) guard(_ string, r *http.Request) {
	id := idIn(r)
	if r.Method != http.MethodPut && r.Method != http.MethodDelete {
		return
	}
	all, err := w.objects()
	if err != nil {
		w.blame("looking at who claims %s: %v", id, err)
		return
	}
	if r.Method == http.MethodPut {
		if !slices.ContainsFunc(all, func(o client.Object) bool { return slices.Contains(idsOf(o), id) }) {
			w.blame("PUT of %s, which no object has", id)
		}
		return
	}
	if w.strangers.has(id) {
		w.blame("DELETE of %s, which is not ours", id)
	}
	ends := passwordOf(w.broker.Holds().Bindings[id])
	for _, o := range all {
		if usedID(o) == id && o.GetDeletionTimestamp().IsZero() {
			w.blame("DELETE of %s, which %s uses, and keeps", id, o.GetName())
		}
		if s, ok := o.(*corev1.Secret); ok && ends != "" && string(s.Data["password"]) == ends && !w.fault.writesSecretLate() {
			w.blame("DELETE of %s, whose credentials are in Secret %s", id, s.Name)
		}
	}
}

// watch sees each state of objects until the context ends, and when they go: before, nothing may be
// left of them outside. ended waits for the last that is seen.
func (w *world) watch(ctx context.Context) (ended func()) {
	var all sync.WaitGroup
	for _, list := range append(w.lists(), &eventsv1.EventList{}) {
		seen, err := w.lab.client.Watch(ctx, list, w.within(list))
		if err != nil {
			w.blame("watching: %v", err)
			continue
		}
		all.Go(func() {
			for err == nil {
				w.follow(ctx, seen)
				seen, err = w.watchAgain(ctx, list)
			}
		})
	}
	return all.Wait
}

// watchAgain is for when a watch has ended, as the API server was away. An error means that the
// context has.
func (w *world) watchAgain(ctx context.Context, list client.ObjectList) (seen watch.Interface, err error) {
	for ctx.Err() == nil {
		if seen, err = w.lab.client.Watch(ctx, list, w.within(list)); err == nil {
			return seen, nil
		}
		wait(ctx, 100*time.Millisecond)
	}
	return nil, ctx.Err()
}

// follow sees what a watch shows, until that ends.
func (w *world) follow(ctx context.Context, seen watch.Interface) {
	defer seen.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-seen.ResultChan():
			if !ok {
				return
			}
			if o, isObject := e.Object.(client.Object); isObject {
				w.seen(e.Type, o)
			}
		}
	}
}

// seen is for an object as it has just become.
func (w *world) seen(by watch.EventType, o client.Object) {
	w.checkCanary(o)
	if by != watch.Deleted || w.broker == nil {
		return
	}
	held := w.held()
	for _, id := range idsOf(o) {
		if held[id] && !w.left.has(id) && !w.strangers.has(id) {
			w.blame("%s is gone, and the broker still has %s", o.GetName(), id)
		}
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
