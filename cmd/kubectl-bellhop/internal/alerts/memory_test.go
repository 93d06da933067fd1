// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"

	jsonpatch "github.com/evanphx/json-patch/v5"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// memory is a client of Alerts that are in memory. It refuses writes of former versions, as the API server does.
type memory struct {
	mu       sync.Mutex
	alerts   []*v1beta1.Alert
	watchers []*watch.RaceFreeFakeWatcher
	version  int
	// requests are the verbs and names of all requests.
	requests []string
	// late are requests that were interrupted, and not carried out yet.
	late []func() error
	// before and after, if they are set, are called before a request is carried out, and after it.
	before func(request string) error
	after  func(request string)
}

// newMemory returns a client of firing Alerts that a receiver has refused.
func newMemory(names ...string) *memory {
	m := &memory{}
	for _, name := range names {
		m.put(failedAlert(name))
	}
	return m
}

func failedAlert(name string) *v1beta1.Alert {
	alert := &v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", Labels: map[string]string{"app": "orders"}}}
	alert.Spec.State = v1beta1.AlertFiring
	alert.Spec.ReceiverRefs = []v1beta1.ReceiverRef{{Kind: v1beta1.KindReceiver, Name: "team"}}
	alert.Status.Conditions = []metav1.Condition{{Type: "Stalled", Status: metav1.ConditionTrue, Reason: "Failed"}}
	alert.Status.Deliveries = []v1beta1.Delivery{{Kind: v1beta1.KindReceiver, Name: "team", State: v1beta1.DeliveryFailed, Reason: "Failed"}}
	alert.Status.Deliveries[0].LastAttemptedHash = "hash"
	return alert
}

// put stores an Alert as another object than one of its name before.
func (m *memory) put(alert *v1beta1.Alert) {
	m.remove(alert.Name)
	m.mu.Lock()
	defer m.mu.Unlock()
	alert.UID = types.UID("uid-" + strconv.Itoa(m.version))
	m.alerts = append(m.alerts, alert)
	m.store(alert)
}

// store gives an Alert a new version. The lock is held.
func (m *memory) store(alert *v1beta1.Alert) {
	m.version++
	alert.ResourceVersion = strconv.Itoa(m.version)
	for _, w := range m.watchers {
		w.Modify(alert.DeepCopy())
	}
}

func (m *memory) remove(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.alerts = slices.DeleteFunc(m.alerts, func(alert *v1beta1.Alert) bool {
		if alert.Name == name {
			for _, w := range m.watchers {
				w.Delete(alert)
			}
		}
		return alert.Name == name
	})
}

// edit changes an Alert as another client.
func (m *memory) edit(name string, edit func(*v1beta1.Alert)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, alert := range m.alerts {
		if alert.Name == name {
			edit(alert)
			m.store(alert)
		}
	}
}

// state is the state of an Alert; empty: there is none of the name.
func (m *memory) state(name string) v1beta1.AlertState {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, alert := range m.alerts {
		if alert.Name == name {
			return alert.Spec.State
		}
	}
	return ""
}

// do carries out a request, and returns its error. The lock is held meanwhile.
func (m *memory) do(ctx context.Context, request string, do func() error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if m.before != nil {
		if err := m.before(request); err != nil {
			return err
		}
	}
	m.mu.Lock()
	m.requests = append(m.requests, request)
	if ctx.Err() != nil {
		m.late = append(m.late, do)
		m.mu.Unlock()
		return ctx.Err()
	}
	err := do()
	m.mu.Unlock()
	if m.after != nil {
		m.after(request)
	}
	return err
}

// carryOutLate carries out what was interrupted.
func (m *memory) carryOutLate() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, do := range m.late {
		_ = do() // the client has ended
	}
}

func (m *memory) find(name string) (*v1beta1.Alert, error) {
	for _, alert := range m.alerts {
		if alert.Name == name {
			return alert, nil
		}
	}
	return nil, apierrors.NewNotFound(v1beta1.Resource("alerts"), name)
}

func (m *memory) Get(ctx context.Context, name string, _ metav1.GetOptions) (alert *v1beta1.Alert, err error) {
	return alert, m.do(ctx, "get "+name, func() error {
		found, err := m.find(name)
		alert = found.DeepCopy()
		return err
	})
}

func (m *memory) List(ctx context.Context, options metav1.ListOptions) (*v1beta1.AlertList, error) {
	byLabel, err := labels.Parse(options.LabelSelector)
	if err != nil {
		return nil, err
	}
	byField, err := fields.ParseSelector(options.FieldSelector)
	if err != nil {
		return nil, err
	}
	list := &v1beta1.AlertList{}
	return list, m.do(ctx, strings.TrimSpace("list "+options.FieldSelector), func() error {
		for _, alert := range m.alerts {
			if byLabel.Matches(labels.Set(alert.Labels)) && byField.Matches(fields.Set{"metadata.name": alert.Name}) {
				list.Items = append(list.Items, *alert.DeepCopy())
			}
		}
		return nil
	})
}

// Watch has the events of all Alerts.
func (m *memory) Watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	w := watch.NewRaceFreeFake()
	return w, m.do(ctx, "watch "+options.FieldSelector, func() error {
		m.watchers = append(m.watchers, w)
		return nil
	})
}

func (m *memory) Create(ctx context.Context, alert *v1beta1.Alert, _ metav1.CreateOptions) (*v1beta1.Alert, error) {
	created := alert.DeepCopy()
	created.UID = types.UID("uid-of-" + alert.Name)
	return created, m.do(ctx, "create "+alert.Name, func() error { return nil })
}

func (m *memory) Patch(ctx context.Context, name string, _ types.PatchType, patch []byte, _ metav1.PatchOptions, _ ...string) (patched *v1beta1.Alert, err error) {
	return patched, m.do(ctx, "patch "+name, func() error {
		alert, err := m.find(name)
		if err != nil {
			return err
		}
		original, err := json.Marshal(alert)
		if err != nil {
			return err
		}
		merged, err := jsonpatch.MergePatch(original, patch)
		if err != nil {
			return err
		}
		patched = &v1beta1.Alert{}
		if err := json.Unmarshal(merged, patched); err != nil {
			return err
		}
		if patched.ResourceVersion != alert.ResourceVersion {
			return apierrors.NewConflict(v1beta1.Resource("alerts"), name, nil)
		}
		*alert = *patched.DeepCopy()
		m.store(alert)
		*patched = *alert.DeepCopy()
		return nil
	})
}

func (m *memory) Delete(ctx context.Context, name string, _ metav1.DeleteOptions) error {
	return m.do(ctx, "delete "+name, func() error { return nil })
}
