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

package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/internal/lifecycle"
)

const (
	// clusterIDName is the ConfigMap with the cluster's id; the original service-catalog used the same name, in a namespace of its own.
	clusterIDName = "cluster-info"
	clusterIDKey  = "id"
	takeoverKey   = "takenOverAt"
)

// takeover is what a takeover from the original service-catalog is about.
type takeover struct {
	// instances, bindings: how many objects the original has made.
	instances, bindings int
	// config is the operator's ConfigMap; nil: it does not exist.
	config *corev1.ConfigMap
	// ids are the original's cluster ids, by the ConfigMap that has each. unread: ConfigMaps of other namespaces may not be listed.
	ids    map[string]string
	unread bool
}

// takeOver records that Bellhop takes over the objects of the original service-catalog, and says first what that is. A dry run records
// nothing.
func (i *inspector) takeOver(ctx context.Context) error {
	t, err := i.findTakeover(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(i.Out, "Of the original service-catalog: %s, %s\n", cli.Count(t.instances, "ServiceInstance"), cli.Count(t.bindings, "ServiceBinding"))
	if t.config != nil && t.config.Data[takeoverKey] != "" {
		fmt.Fprintf(i.Out, "The takeover was recorded at %s already: nothing is changed\n", t.config.Data[takeoverKey])
		return nil
	}
	id, from, err := t.clusterID(i.clusterID)
	if err != nil {
		return err
	}
	if id != "" {
		fmt.Fprintf(i.Out, "Brokers know this cluster by the id %q, of %s, which the operator adopts\n", id, from)
	}
	if t.unread {
		fmt.Fprintf(i.Out, "You may not list ConfigMaps of all namespaces: if the original's %s has another id than the operator's, give it with --cluster-id\n", clusterIDName)
	}
	fmt.Fprintln(i.Out, "From then on Bellhop sends their requests, and removes at its broker what is deleted here. The original service-catalog must not run any more")
	if i.dryRun {
		fmt.Fprintln(i.Out, "Nothing is recorded (dry run)")
		return nil
	}
	at := i.now().UTC().Format(time.RFC3339)
	if err := i.recordTakeover(ctx, t.config, at, id); err != nil {
		return fmt.Errorf("recording the takeover in ConfigMap %s of namespace %s: %w", clusterIDName, i.operatorNamespace, err)
	}
	fmt.Fprintf(i.Out, "The takeover is recorded at %s, for objects that are older. The operator goes on with them within a minute\n", at)
	return nil
}

// findTakeover reads what a takeover is about.
func (i *inspector) findTakeover(ctx context.Context) (*takeover, error) {
	t := &takeover{ids: map[string]string{}}
	instances, err := i.clients.Services.ServiceInstances("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for n := range instances.Items {
		if si := &instances.Items[n]; lifecycle.IsFromOriginal(si, si.Status.Conditions, si.Status.CreatedForUID) {
			t.instances++
		}
	}
	bindings, err := i.clients.Services.ServiceBindings("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for n := range bindings.Items {
		if b := &bindings.Items[n]; lifecycle.IsFromOriginal(b, b.Status.Conditions, b.Status.CreatedForUID) {
			t.bindings++
		}
	}
	if t.config, err = i.core.ConfigMaps(i.operatorNamespace).Get(ctx, clusterIDName, metav1.GetOptions{}); apierrors.IsNotFound(err) {
		t.config, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := i.core.ConfigMaps("").List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + clusterIDName})
	switch {
	case isForbidden(err):
		t.unread = true
		return t, nil
	case err != nil:
		return nil, err
	}
	for _, config := range all.Items {
		if id := config.Data[clusterIDKey]; id != "" && config.Namespace != i.operatorNamespace {
			t.ids[config.Namespace+"/"+config.Name] = id
		}
	}
	return t, nil
}

// clusterID returns the id that the operator has to adopt, and where it is from; "": it keeps its own. asked is that of the flag.
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

// recordTakeover writes the time, and the cluster's id unless it is empty, into the operator's ConfigMap.
func (i *inspector) recordTakeover(ctx context.Context, config *corev1.ConfigMap, at, id string) error {
	data := map[string]string{takeoverKey: at}
	if id != "" {
		data[clusterIDKey] = id
	}
	if config == nil {
		config = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: i.operatorNamespace, Name: clusterIDName}, Data: data}
		_, err := i.core.ConfigMaps(i.operatorNamespace).Create(ctx, config, metav1.CreateOptions{FieldManager: cli.FieldManager})
		return err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]string{"resourceVersion": config.ResourceVersion}, "data": data})
	if err != nil {
		return err
	}
	_, err = i.core.ConfigMaps(i.operatorNamespace).Patch(ctx, clusterIDName, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: cli.FieldManager})
	return err
}
