// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package broker is an Open Service Broker, version 2.17, whose instances are databases of a real MySQL server: it creates a database
// for each instance, and for each binding a user with a random password who has rights on that database only. The server is part
// of the process, and keeps its databases in memory, so that they end with the process.
//
// The rights are enforced, except for global variables, which every user can set: it is for trials.
//
// It knows Open Service Broker and nothing of Bellhop, so that it shows how a platform works with other brokers, too. It is strict:
// it refuses what Open Service Broker forbids a platform.
package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Options are the credentials of the broker and the addresses of its databases.
type Options struct {
	// Username and Password are required from platforms, by basic authentication.
	Username, Password string
	// MySQL is the listener of the MySQL server. The broker closes it.
	MySQL net.Listener
	// Host is the name or address at which applications reach the MySQL server. Default: the listener's.
	Host string
	// Delay is the duration of operations of the asynchronous service. Default: 1.5 seconds.
	Delay time.Duration
	// Out gets a line for each database that is provisioned, updated or deprovisioned, and for each user that is bound or unbound.
	// Default: io.Discard.
	Out io.Writer
	// Verbose makes Out get a line for each request about an instance or a binding, too.
	Verbose bool
}

// A Broker creates databases and users, and counts requests. It is safe for concurrent use.
type Broker struct {
	options Options
	port    int
	mysql   *mysqlServer

	closing chan struct{}
	pending sync.WaitGroup // asynchronous operations

	mu        sync.Mutex
	instances map[string]*instance
	removed   map[string]bool // keys of removed resources
	requests  map[string]int
}

// New starts the MySQL server, and returns a broker without instances.
func New(o Options) (*Broker, error) {
	if o.Username == "" || o.Password == "" || strings.Contains(o.Username, ":") {
		return nil, errors.New("a user name, without a colon, and a password are needed")
	}
	address, ok := o.MySQL.Addr().(*net.TCPAddr)
	if !ok {
		return nil, fmt.Errorf("the MySQL server cannot listen on %s: only on TCP", o.MySQL.Addr())
	}
	if o.Host == "" {
		o.Host = address.IP.String()
	}
	if o.Delay == 0 {
		o.Delay = 1500 * time.Millisecond
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	server, err := startMySQL(o.MySQL)
	if err != nil {
		return nil, fmt.Errorf("starting the MySQL server: %w", err)
	}
	return &Broker{
		options: o, port: address.Port, mysql: server, closing: make(chan struct{}),
		instances: map[string]*instance{}, removed: map[string]bool{}, requests: map[string]int{},
	}, nil
}

// Close cancels operations, and closes the MySQL server with its connections.
func (b *Broker) Close() error {
	close(b.closing)
	b.pending.Wait()
	return b.mysql.close()
}

// Serve serves platforms until the context ends, and then closes the broker.
func (b *Broker) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: b.Handler(), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return errors.Join(err, b.Close())
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	err := server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close() // a request that hangs does not delay the end
	}
	return errors.Join(err, b.Close())
}

// Databases returns the names of the databases of the MySQL server.
func (b *Broker) Databases() []string { return b.mysql.databaseNames() }

// Users returns the names of the users who can log in.
func (b *Broker) Users() []string { return b.mysql.userNames() }

// Requests counts requests by their operation: catalog, provision, update, deprovision, fetch, poll, bind, unbind, fetch binding and
// poll binding. Requests with wrong credentials count as refused.
func (b *Broker) Requests() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.requests)
}

// A resource is an instance or a binding.
type resource struct {
	ready     bool       // it was created
	operation *operation // the last asynchronous one
}

type operation struct {
	ID, State, Description string
	verb                   string
}

// States of last_operation.
const (
	inProgress = "in progress"
	succeeded  = "succeeded"
	failed     = "failed"
)

// operationInProgress returns nil if there is none.
func (r *resource) operationInProgress() *operation {
	if r.operation != nil && r.operation.State == inProgress {
		return r.operation
	}
	return nil
}

// startOperation calls work after the delay, and returns the operation. The lock is held by the caller, and while work runs.
func (b *Broker) startOperation(r *resource, verb string, work func() error) *operation {
	o := &operation{verb + " " + randomName(""), inProgress, "it takes " + b.options.Delay.String(), verb}
	r.operation = o
	b.pending.Go(func() {
		select {
		case <-b.closing:
			return
		case <-time.After(b.options.Delay):
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		o.State, o.Description = succeeded, ""
		if err := work(); err != nil {
			o.State, o.Description = failed, err.Error()
		}
	})
	return o
}

// randomName returns a unique name that needs no quotes in SQL.
func randomName(prefix string) string { return prefix + strings.ToLower(rand.Text()[:12]) }

// printEvent writes a line about a database or user. What happened to it is a verb of the Open Service Broker API.
func (b *Broker) printEvent(what, which string, i *instance) {
	text := fmt.Sprintf("%s, %s %s", which, i.service.Name, i.plan.Name)
	if i.label != "" {
		text += ", for " + i.label
	}
	fmt.Fprintf(b.options.Out, "🐬 %s  %-13s  %s\n", time.Now().Format(time.TimeOnly), what, text)
}

// stripUnprintable removes characters that could move the cursor of a terminal.
func stripUnprintable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
}
