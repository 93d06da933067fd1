// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package takeover records that Bellhop takes over the objects that the original service-catalog created in a cluster.
package takeover

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"

	servicecatalogclient "github.com/gophernetes/bellhop/client/clientset/versioned/typed/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

const (
	// clusterIDName is the ConfigMap with the cluster's id; the original service-catalog used the same name, in a namespace of its own.
	clusterIDName = "cluster-info"
	clusterIDKey  = "id"
	takeoverKey   = "takenOverAt"
)

// takeover has the objects of a takeover from the original service-catalog.
type takeover struct {
	// instances, bindings: how many objects the original has made.
	instances, bindings int
	// config is the operator's ConfigMap; nil: it does not exist.
	config *corev1.ConfigMap
	// ids are the original's cluster ids, by the ConfigMap that has each. unread: ConfigMaps of other namespaces may not be listed.
	ids    map[string]string
	unread bool
}

// Recorder records a takeover.
type Recorder struct {
	// Out gets the messages.
	Out      io.Writer
	Core     coreclient.CoreV1Interface
	Services servicecatalogclient.ServicecatalogV1beta1Interface
	// OperatorNamespace is where the operator's ConfigMap is.
	OperatorNamespace string
	// ClusterID is the id by which brokers know this cluster; empty: the id in the original's ConfigMap.
	ClusterID string
	// DryRun prints the objects that would be taken over, and records nothing.
	DryRun bool
	Now    func() time.Time
}

// Run records that Bellhop takes over the objects of the original service-catalog, and first prints their numbers. A dry run records nothing.
func (r *Recorder) Run(ctx context.Context) error {
	t, err := r.find(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(r.Out, "Of the original service-catalog: %s, %s\n", cli.Count(t.instances, "ServiceInstance"), cli.Count(t.bindings, "ServiceBinding"))
	if t.config != nil && t.config.Data[takeoverKey] != "" {
		fmt.Fprintf(r.Out, "The takeover was recorded at %s already: nothing is changed\n", t.config.Data[takeoverKey])
		return nil
	}
	id, from, err := t.clusterID(r.ClusterID)
	if err != nil {
		return err
	}
	if id != "" {
		fmt.Fprintf(r.Out, "Brokers know this cluster by the id %q, of %s, which the operator adopts\n", id, from)
	}
	if t.unread {
		fmt.Fprintf(r.Out, "You may not list ConfigMaps of all namespaces: if the original's %s has another id than the operator's, give it with --cluster-id\n", clusterIDName)
	}
	fmt.Fprintln(r.Out, "From then on Bellhop sends their requests, and removes at its broker what is deleted here. The original service-catalog must not run any more")
	if r.DryRun {
		fmt.Fprintln(r.Out, "Nothing is recorded (dry run)")
		return nil
	}
	at := r.Now().UTC().Format(time.RFC3339)
	if err := r.record(ctx, t.config, at, id); err != nil {
		return fmt.Errorf("recording the takeover in ConfigMap %s of namespace %s: %w", clusterIDName, r.OperatorNamespace, err)
	}
	fmt.Fprintf(r.Out, "The takeover is recorded at %s, for objects that are older. The operator goes on with them within a minute\n", at)
	return nil
}

// find reads the objects of a takeover.
func (r *Recorder) find(ctx context.Context) (*takeover, error) {
	t := &takeover{ids: map[string]string{}}
	instances, err := r.Services.ServiceInstances("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for n := range instances.Items {
		if si := &instances.Items[n]; rules.IsFromOriginal(si, si.Status.Conditions, si.Status.CreatedForUID) {
			t.instances++
		}
	}
	bindings, err := r.Services.ServiceBindings("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for n := range bindings.Items {
		if b := &bindings.Items[n]; rules.IsFromOriginal(b, b.Status.Conditions, b.Status.CreatedForUID) {
			t.bindings++
		}
	}
	if t.config, err = r.Core.ConfigMaps(r.OperatorNamespace).Get(ctx, clusterIDName, metav1.GetOptions{}); apierrors.IsNotFound(err) {
		t.config, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := r.Core.ConfigMaps("").List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + clusterIDName})
	switch {
	case apierrors.IsForbidden(err):
		t.unread = true
		return t, nil
	case err != nil:
		return nil, err
	}
	for _, config := range all.Items {
		if id := config.Data[clusterIDKey]; id != "" && config.Namespace != r.OperatorNamespace {
			t.ids[config.Namespace+"/"+config.Name] = id
		}
	}
	return t, nil
}

// clusterID returns the id that the operator has to adopt, and where it is from; "": it keeps its own. asked is the id in the flag.
func (t *takeover) clusterID(asked string) (id, from string, err error) {
	if asked != "" {
		return asked, "--cluster-id", nil
	}
	ids := slices.Compact(slices.Sorted(maps.Values(t.ids)))
	if len(ids) > 1 {
		return "", "", cli.UsageError("several ConfigMaps have a cluster id: %s: give that of the original service-catalog with --cluster-id", strings.Join(slices.Sorted(maps.Keys(t.ids)), ", "))
	}
	if len(ids) == 0 || t.config != nil && t.config.Data[clusterIDKey] == ids[0] {
		return "", "", nil
	}
	return ids[0], "ConfigMap " + slices.Sorted(maps.Keys(t.ids))[0], nil
}

// record writes the time, and the cluster's id unless it is empty, into the operator's ConfigMap.
func (r *Recorder) record(ctx context.Context, config *corev1.ConfigMap, at, id string) error {
	data := map[string]string{takeoverKey: at}
	if id != "" {
		data[clusterIDKey] = id
	}
	if config == nil {
		config = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: r.OperatorNamespace, Name: clusterIDName}, Data: data}
		_, err := r.Core.ConfigMaps(r.OperatorNamespace).Create(ctx, config, metav1.CreateOptions{FieldManager: cli.FieldManager})
		return err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]string{"resourceVersion": config.ResourceVersion}, "data": data})
	if err != nil {
		return err
	}
	_, err = r.Core.ConfigMaps(r.OperatorNamespace).Patch(ctx, clusterIDName, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: cli.FieldManager})
	return err
}
