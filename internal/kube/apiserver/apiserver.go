// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apiserver has connections to the API server, and its addresses.
package apiserver

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// +kubebuilder:rbac:groups="",resources=services,resourceNames=kubernetes,verbs=get
// +kubebuilder:rbac:groups=discovery.k8s.io,resources=endpointslices,resourceNames=kubernetes,verbs=get;list;watch

// retryAddresses is how long after a failure the addresses are read again.
const retryAddresses = 10 * time.Second

// FollowAddresses calls set with the API server's addresses, and again whenever its endpoints change, until ctx ends. host is the URL by which
// this process reaches it.
func FollowAddresses(ctx context.Context, clients kubernetes.Interface, host string, set func([]netip.Addr)) error {
	found, err := addresses(ctx, clients, host)
	if err != nil {
		return err
	}
	set(found)
	changed := make(chan struct{}, 1)
	notify := func(any) {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	factory := informers.NewSharedInformerFactoryWithOptions(clients, 0, informers.WithNamespace(metav1.NamespaceDefault),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.FieldSelector = "metadata.name=" + serviceName }))
	_, err = factory.Discovery().V1().EndpointSlices().Informer().AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: notify, UpdateFunc: func(_, o any) { notify(o) }, DeleteFunc: notify,
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
			if found, err := addresses(ctx, clients, host); err == nil {
				set(found)
			} else if ctx.Err() == nil {
				log.Log.WithName("guard").Error(err, "The API server's new addresses could not be read; the former ones are refused")
				time.AfterFunc(retryAddresses, func() { notify(nil) })
			}
		}
	}()
	return nil
}

// serviceName is the name of the API server's Service, and of the EndpointSlice of its endpoints.
const serviceName = "kubernetes"

// addresses returns the API server's addresses: of host, of the Service "kubernetes", and of its endpoints.
func addresses(ctx context.Context, clients kubernetes.Interface, host string) ([]netip.Addr, error) {
	u, err := url.Parse(host)
	if err != nil {
		return nil, fmt.Errorf("parsing the API server's URL: %w", err)
	}
	names := []string{u.Hostname()}
	service, err := clients.CoreV1().Services(metav1.NamespaceDefault).Get(ctx, serviceName, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading Service kubernetes: %w", err)
	}
	names = append(names, service.Spec.ClusterIPs...)
	endpoints, err := clients.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).Get(ctx, serviceName, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("reading EndpointSlice kubernetes: %w", err)
	}
	for _, endpoint := range endpoints.Endpoints {
		names = append(names, endpoint.Addresses...)
	}
	var all []netip.Addr
	for _, name := range names {
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		if err != nil {
			return nil, fmt.Errorf("resolving %s: %w", name, err)
		}
		for _, address := range found {
			all = append(all, address.Unmap()) // the resolver maps a literal IPv4 address to IPv6
		}
	}
	return all, nil
}
