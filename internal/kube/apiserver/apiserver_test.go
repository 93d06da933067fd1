// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// F-P15: when the control plane moves, its present addresses become known without a restart.
// F-S21: the addresses are watched, not read once.
// F-S59: they equal those that connections come from, which are not mapped to IPv6.
func TestAddressesAreFollowed(t *testing.T) {
	meta := metav1.ObjectMeta{Namespace: "default", Name: "kubernetes"}
	slice := &discoveryv1.EndpointSlice{ObjectMeta: meta, AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.1"}}}}
	cluster := fake.NewClientset(&corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{ClusterIPs: []string{"10.96.0.1"}}}, slice)
	got := make(chan []netip.Addr, 10)
	if err := FollowAddresses(t.Context(), cluster, "https://198.51.100.1:6443", func(all []netip.Addr) { got <- all }); err != nil {
		t.Fatal(err)
	}
	want := func(endpoint string) {
		t.Helper()
		all := []netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("10.96.0.1"), netip.MustParseAddr(endpoint)}
		for timeout := time.After(time.Minute); ; {
			select {
			case is := <-got:
				if slices.Equal(is, all) {
					return
				}
			case <-timeout:
				t.Fatalf("%s is not known", endpoint)
			}
		}
	}
	want("192.0.2.1")
	want("192.0.2.1") // the watch has begun
	slice = slice.DeepCopy()
	slice.Endpoints[0].Addresses[0] = "192.0.2.2"
	if _, err := cluster.DiscoveryV1().EndpointSlices("default").Update(t.Context(), slice, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	want("192.0.2.2")
}
