// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

func TestCalled(t *testing.T) {
	for name, want := range map[string][]*Kind{
		"alert": {Alert}, "alerts": {Alert}, "Alert": {Alert}, "alerts.pager.k8s.co": {Alert}, "alert.v1beta1.pager.k8s.co": {Alert},
		"receiver": {Receiver}, "clusterreceivers": {ClusterReceiver}, "rcv": {Receiver}, "crcv": {ClusterReceiver},
		"broker": {ServiceBroker, ClusterServiceBroker}, "brokers": {ServiceBroker, ClusterServiceBroker},
		"clusterservicebroker": {ClusterServiceBroker}, "servicebrokers.servicecatalog.k8s.io": {ServiceBroker},
		"instance": {ServiceInstance}, "serviceinstances": {ServiceInstance}, "instances": {ServiceInstance}, "binding": {ServiceBinding},
		"source": {AlertSource}, "sources": {AlertSource}, "alertsources.pager.k8s.co": {AlertSource},
		"class": {ServiceClass, ClusterServiceClass}, "plans": {ServicePlan, ClusterServicePlan},
		"pod": nil, "alert.notification.toolkit.fluxcd.io": nil, "": nil,
	} {
		if got := called(name, All); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

func TestParseTargets(t *testing.T) {
	for _, test := range []struct {
		args  []string
		names []string
		fails bool
	}{
		{nil, nil, false},
		{[]string{"alert/a"}, []string{"a"}, false},
		{[]string{"alert/a", "broker/b"}, []string{"a", "b"}, false},
		{[]string{"alert", "a", "b"}, []string{"a", "b"}, false},
		{[]string{"alert"}, nil, true},
		{[]string{"alert/"}, nil, true},
		{[]string{"alert/a/b"}, nil, true},
		{[]string{"alert", "broker/b"}, nil, true},
		{[]string{"alert/a", "b"}, nil, true},
		{[]string{"plan/a"}, nil, true},
		{[]string{"pod/a"}, nil, true},
	} {
		targets, err := ParseTargets(test.args, WithConditions)
		var names []string
		for _, target := range targets {
			names = append(names, target.Name)
		}
		if (err != nil) != test.fails || !slices.Equal(names, test.names) {
			t.Errorf("%v: %v, %v", test.args, names, err)
		}
		if err != nil && cli.ExitCode(err) != cli.ExitUsage {
			t.Errorf("%v: exit code %d", test.args, cli.ExitCode(err))
		}
	}
}

func TestStateOf(t *testing.T) {
	condition := func(kind string, status metav1.ConditionStatus) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: kind + "Reason", Message: "two\nlines"}
	}
	deleted := metav1.NewTime(time.Now())
	for _, test := range []struct {
		conditions []metav1.Condition
		observed   int64
		deleted    *metav1.Time
		want       State
	}{
		{nil, -1, nil, State{State: StateNotObserved, Message: "the operator has not looked at it yet"}},
		{[]metav1.Condition{condition("Ready", "True")}, 0, nil, State{State: StateNotObserved, Message: "the operator has not looked at it yet"}},
		{[]metav1.Condition{condition("Ready", "True")}, 1, nil, State{StateReady, "ReadyReason", "two lines"}},
		{[]metav1.Condition{condition("Ready", "False")}, 1, nil, State{StateNotReady, "ReadyReason", "two lines"}},
		{[]metav1.Condition{condition("Ready", "False"), condition("Reconciling", "True")}, 1, nil, State{StateReconciling, "ReconcilingReason", "two lines"}},
		{[]metav1.Condition{condition("Stalled", "True"), condition("Ready", "False"), condition("Reconciling", "True")}, 1, nil, State{StateStalled, "StalledReason", "two lines"}},
		{[]metav1.Condition{condition("Stalled", "True"), condition("Ready", "False")}, 1, &deleted, State{StateDeleting, "StalledReason", "two lines"}},
	} {
		alert := &pagerv1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Generation: 1, DeletionTimestamp: test.deleted}}
		alert.Status.Conditions, alert.Status.ObservedGeneration = test.conditions, test.observed
		if got := StateOf(alert); got != test.want {
			t.Errorf("%+v, want %+v", got, test.want)
		}
	}
}

func TestLabels(t *testing.T) {
	var objects []cli.Object
	for n := range 6 {
		objects = append(objects, &pagerv1beta1.Alert{TypeMeta: metav1.TypeMeta{Kind: "Alert"}, ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint(n)}})
	}
	for n, want := range map[int]string{1: "1 object: Alert/0", 2: "2 objects: Alert/0, Alert/1",
		6: "6 objects: Alert/0, Alert/1, Alert/2, Alert/3, Alert/4, …"} {
		if got := Labels(objects[:n]); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
