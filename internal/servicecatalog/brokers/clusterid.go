// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

const (
	// clusterIDKey is the key of the ConfigMap; the original service-catalog used the same.
	clusterIDKey = "id"
	// takeoverKey is the key of the time at which a person recorded that the objects of the original service-catalog are taken over.
	takeoverKey = "takenOverAt"
	// TakeoverInterval is the time between two reads of a takeover that is not recorded yet.
	TakeoverInterval = 30 * time.Second
)

// +kubebuilder:rbac:groups="",namespace=system,resources=configmaps,verbs=get;create;patch

// ClusterID is the id by which brokers know this cluster. It is stored in a ConfigMap: an existing one is used, and no new id is
// created while the ConfigMap cannot be read.
type ClusterID struct {
	live   client.Reader
	writer client.Client
	name   types.NamespacedName

	mu sync.Mutex
	id string
	// takeover is zero as long as none is recorded; readAt is when it was read.
	takeover, readAt time.Time
}

// NewClusterID returns the id of the cluster in the ConfigMap of that name.
func NewClusterID(live client.Reader, writer client.Client, name types.NamespacedName) *ClusterID {
	return &ClusterID{live: live, writer: writer, name: name}
}

// Takeover returns when the objects of the original service-catalog were taken over; zero: they are not. It reads the record at most once in
// TakeoverInterval, and no more once a takeover is recorded. The takeover may have changed the id to the original's.
func (c *ClusterID) Takeover(ctx context.Context, now time.Time) (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.takeover.IsZero() || !c.readAt.IsZero() && now.Before(c.readAt.Add(TakeoverInterval)) {
		return c.takeover, nil
	}
	config := &corev1.ConfigMap{}
	if err := c.live.Get(ctx, c.name, config); err != nil && !apierrors.IsNotFound(err) {
		return time.Time{}, fmt.Errorf("reading ConfigMap %s, which has the time of the takeover from the original service-catalog: %s", c.name, err.Error())
	}
	c.readAt = now
	text, has := config.Data[takeoverKey]
	if !has {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("ConfigMap %s: %s must be a time such as 2026-01-31T12:00:00Z: %s", c.name, takeoverKey, err.Error())
	}
	c.takeover, c.id = at, cmp.Or(config.Data[clusterIDKey], c.id)
	return at, nil
}

// Get returns the id, and creates it if it does not exist.
func (c *ClusterID) Get(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.id != "" {
		return c.id, nil
	}
	config := &corev1.ConfigMap{}
	err := c.live.Get(ctx, c.name, config)
	switch {
	case apierrors.IsNotFound(err):
		config = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: c.name.Namespace, Name: c.name.Name}, Data: map[string]string{clusterIDKey: catalog.NewID()}}
		err = c.writer.Create(ctx, config, client.DisableReadYourWritesConsistency)
	case err == nil && config.Data[clusterIDKey] == "":
		before := config.DeepCopy()
		if config.Data == nil {
			config.Data = map[string]string{}
		}
		config.Data[clusterIDKey] = catalog.NewID()
		err = c.writer.Patch(ctx, config, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.DisableReadYourWritesConsistency)
	}
	if err != nil {
		return "", fmt.Errorf("reading or creating ConfigMap %s, which has the cluster's id: %s", c.name, err.Error()) // not wrapped: the caller would take not-found for its own object
	}
	c.id = config.Data[clusterIDKey]
	return c.id, nil
}
