// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package httpserver

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// BenchmarkReviews sends 600 reviews of 10 KiB at once from the address of an API server, alone and while a Pod holds all connections and bytes
// that one address may hold, and opens new ones all along. It reports the reviews that fail, what the bounds
// refuse, and the slowest reviews.
//
//	go test -tags grpcnotrace -run=^$ -bench=Reviews -benchtime=10x ./internal/httpserver
func BenchmarkReviews(b *testing.B) {
	log.SetLogger(logr.Discard())
	for _, door := range []string{"empty", "full"} {
		b.Run("door="+door, func(b *testing.B) {
			address, metrics := serveBenchmark(b)
			if door == "full" {
				fillDoor(b, address)
			}
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 25}}
			body := make([]byte, 10<<10)
			var all []time.Duration
			failed := 0
			for b.Loop() {
				var mu sync.Mutex
				var running sync.WaitGroup
				for range 600 {
					running.Go(func() {
						began := time.Now()
						response, err := client.Post("https://"+address+"/review", "application/json", bytes.NewReader(body))
						if err != nil {
							b.Log(time.Since(began), err)
						} else {
							_, _ = io.Copy(io.Discard, response.Body)
							_ = response.Body.Close()
						}
						mu.Lock()
						defer mu.Unlock()
						if all = append(all, time.Since(began)); err != nil || response.StatusCode != http.StatusOK {
							failed++
						}
					})
				}
				running.Wait()
			}
			slices.Sort(all)
			b.ReportMetric(float64(failed), "failed")
			b.ReportMetric(refusedByBounds(b, metrics), "refused")
			b.ReportMetric(float64(all[len(all)*99/100].Milliseconds()), "p99-ms")
			b.ReportMetric(float64(all[len(all)-1].Milliseconds()), "max-ms")
		})
	}
}

// serveBenchmark serves reviews over TLS, to API servers at 127.0.0.1.
func serveBenchmark(b *testing.B) (address string, registry *prometheus.Registry) {
	b.Helper()
	registry = prometheus.NewRegistry()
	servers, err := New(Options{MemoryLimit: 1 << 30, Metrics: registry})
	if err != nil {
		b.Fatal(err)
	}
	servers.SetAPIServers([]netip.Addr{netip.MustParseAddr("127.0.0.1")})
	server, listener, err := servers.Listen(b.Context(), Webhooks, "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{selfSigned(b)}}, http.HandlerFunc(echoLength))
	if err != nil {
		b.Fatal(err)
	}
	go server.Serve(listener) //nolint:errcheck // ends with Close
	b.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String(), registry
}

// refusedByBounds returns how many requests and connections the bounds refused, those of Pods included.
func refusedByBounds(b *testing.B, registry *prometheus.Registry) (sum float64) {
	b.Helper()
	families, err := registry.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "bellhop_http_server_requests_total" {
			for _, m := range family.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// fillDoor opens connections from 127.0.0.2 until the end of the benchmark: each begins a body of 7 MiB, and stops.
func fillDoor(b *testing.B, address string) {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	for range 256 {
		go func() {
			for b.Context().Err() == nil {
				c, err := tls.DialWithDialer(dialer, "tcp", address, &tls.Config{InsecureSkipVerify: true})
				if err != nil {
					continue
				}
				fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 7340032\r\n\r\n")
				c.Write(make([]byte, 1<<20)) //nolint:errcheck // the server may close it
				io.Copy(io.Discard, c)       //nolint:errcheck // until the server closes it
				_ = c.Close()
			}
		}()
	}
}
