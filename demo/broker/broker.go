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

// Package broker is an Open Service Broker, version 2.17, whose instances are databases of a real MySQL server: a database for
// each instance, and for each binding a user with a random password who has rights on that database and on no other. Both are
// gone when the broker removes them. The server is part of the process, and its databases are in memory: what it has ends
// with it.
//
// The rights are enforced, but for global variables, which every user can set: it is for trying things out.
//
// It knows the protocol and nothing of Bellhop, so that a platform that gets along with it gets along with others. It is
// strict: what the protocol forbids a platform to do is refused.
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

// Options say who may use the broker, and where its databases are.
type Options struct {
	// Username and Password are what platforms have to send by basic authentication. Both are required.
	Username, Password string
	// MySQL is where the MySQL server listens. The broker closes it.
	MySQL net.Listener
	// Host is the name or address by which applications reach the MySQL server. Default: the listener's.
	Host string
	// Delay is how long an operation of the asynchronous service takes. Default: 1.5 seconds.
	Delay time.Duration
	// Out gets a line for each thing that is made, changed or removed. Default: nobody.
	Out io.Writer
	// Verbose has it get one for each request about an instance or a binding, too.
	Verbose bool
}

// A Broker makes databases and users, and keeps account of them. It is safe for concurrent use.
type Broker struct {
	options Options
	port    int
	mysql   *mysqlServer

	closing chan struct{}
	pending sync.WaitGroup // operations

	mu        sync.Mutex
	instances map[string]*instance
	removed   map[string]bool // the keys of what was there
	requests  map[string]int
}

// New starts the MySQL server and returns a broker that has nothing yet.
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

// Close ends what is under way, and the MySQL server with its connections.
func (b *Broker) Close() error {
	close(b.closing)
	b.pending.Wait()
	return b.mysql.close()
}

// Serve answers platforms until the context ends, and then closes the broker.
func (b *Broker) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: b.Handler(), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return errors.Join(err, b.Close())
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	return errors.Join(server.Shutdown(grace), b.Close())
}

// Databases are the names of the databases that the MySQL server has.
func (b *Broker) Databases() []string { return b.mysql.databaseNames() }

// Users are the names of those who can log in to them.
func (b *Broker) Users() []string { return b.mysql.userNames() }

// Requests counts the requests that came, by what they ask for: catalog, provision, update, deprovision, fetch, poll, bind,
// unbind, fetch binding and poll binding. Those without the right password count as refused.
func (b *Broker) Requests() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.requests)
}

// A resource is what a platform has given an id.
type resource struct {
	ready     bool       // it was made
	operation *operation // the last asynchronous one
}

type operation struct {
	ID, State, Description string
	verb                   string
}

// What last_operation says.
const (
	inProgress = "in progress"
	succeeded  = "succeeded"
	failed     = "failed"
)

// busy returns the operation that is in progress.
func (r *resource) busy() *operation {
	if r.operation != nil && r.operation.State == inProgress {
		return r.operation
	}
	return nil
}

// begin has work done in a while, and returns what to call it until then. The lock is held, then as now.
func (b *Broker) begin(r *resource, verb string, work func() error) *operation {
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

// randomName returns one that nobody else has and that needs no quoting in SQL.
func randomName(prefix string) string { return prefix + strings.ToLower(rand.Text()[:12]) }

// say shows what has happened on a line.
func (b *Broker) say(what, which string, i *instance) {
	text := fmt.Sprintf("%s, %s %s", which, i.service.Name, i.plan.Name)
	if i.label != "" {
		text += ", for " + i.label
	}
	fmt.Fprintf(b.options.Out, "🐬 %s  %-8s  %s\n", time.Now().Format(time.TimeOnly), what, text)
}

// printable leaves out what could move a terminal's cursor.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
}
