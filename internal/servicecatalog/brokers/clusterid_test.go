// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
)

// F-S3: the takeover is read until it is recorded
func TestTheTakeoverIsReadUntilItIsRecorded(t *testing.T) {
	name := types.NamespacedName{Namespace: "bellhop-system", Name: "cluster-info"}
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}, Data: map[string]string{"id": "own"}}
	cluster := controllertest.NewCluster(t, interceptor.Funcs{}, config)
	c := NewClusterID(cluster, cluster, name)
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	if id, err := c.Get(t.Context()); err != nil || id != "own" {
		t.Fatal(id, err)
	}
	if at, err := c.Takeover(t.Context(), now); err != nil || !at.IsZero() {
		t.Errorf("not recorded: %s, %v", at, err)
	}
	if err := cluster.Get(t.Context(), name, config); err != nil {
		t.Fatal(err)
	}
	config.Data["takenOverAt"], config.Data["id"] = "2026-11-20T11:00:00Z", "original"
	if err := cluster.Update(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if at, err := c.Takeover(t.Context(), now.Add(time.Second)); err != nil || !at.IsZero() {
		t.Errorf("read again at once: %s, %v", at, err)
	}
	if at, err := c.Takeover(t.Context(), now.Add(time.Minute)); err != nil || !at.Equal(now.Add(-time.Hour)) {
		t.Errorf("recorded: %s, %v", at, err)
	}
	if id, err := c.Get(t.Context()); err != nil || id != "original" {
		t.Errorf("the id is %s, %v", id, err)
	}
}

func TestTheClusterIDIsMadeOnceAndNothingElseIsTouched(t *testing.T) {
	name := types.NamespacedName{Namespace: "bellhop-system", Name: "cluster-info"}
	config := func(data map[string]string) []client.Object {
		return []client.Object{&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}, Data: data}}
	}
	for why, objects := range map[string][]client.Object{
		"none is there":         nil,
		"it is there":           config(map[string]string{"id": "known", "team": "x"}),
		"it has no id":          config(map[string]string{"team": "x"}),
		"it has nothing at all": config(nil),
	} {
		c := controllertest.NewCluster(t, interceptor.Funcs{}, objects...)
		id, err := (&ClusterID{live: c, writer: c, name: name}).Get(t.Context())
		again, errAgain := (&ClusterID{live: c, writer: c, name: name}).Get(t.Context())
		if err != nil || errAgain != nil || id == "" || again != id || why == "it is there" && id != "known" {
			t.Errorf("%s: it is %q, %v, and then %q, %v", why, id, err, again, errAgain)
		}
		var now corev1.ConfigMap
		if err := c.Get(t.Context(), name, &now); err != nil {
			t.Fatal(err)
		}
		if had := len(objects) > 0 && objects[0].(*corev1.ConfigMap).Data["team"] != ""; had && now.Data["team"] != "x" {
			t.Errorf("%s: what else was there is gone: %v", why, now.Data)
		}
	}
}
