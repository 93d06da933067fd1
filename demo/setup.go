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

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/demo/broker"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/hack/local"
)

// A demo is all that runs, and what there is to know about it.
type demo struct {
	screen   *screen
	repo     string
	dir      string // scratch
	cluster  *local.Cluster
	operator *local.Operator
	inbox    *inbox.Inbox
	inboxURL string
	secret   string // that the inbox wants deliveries to be signed with
	seen     int    // of the inbox's messages

	broker         *broker.Broker
	brokerURL      string
	brokerPassword string
	found          findings // on the way, about the service

	up bool // everything was shown

	stops []func() error // in the order of starting
}

// start brings everything up.
func (d *demo) start(ctx context.Context) (err error) {
	d.screen.title("Bellhop: from kubectl apply to a page, and to a database")
	if d.repo, err = local.FindRepo(); err != nil {
		return err
	}
	if d.dir, err = os.MkdirTemp("", "bellhop-demo-"); err != nil {
		return err
	}
	if err := d.startInbox(ctx); err != nil {
		return fmt.Errorf("starting the inbox: %w", err)
	}
	if err := d.startBroker(ctx); err != nil {
		return fmt.Errorf("starting the broker: %w", err)
	}
	binary := d.buildOperator(ctx) // while the control plane comes up
	began := time.Now()
	if d.cluster, err = local.Start(ctx, local.Options{Repo: d.repo}); err != nil {
		return err
	}
	d.stops = append(d.stops, d.cluster.Stop)
	d.screen.say("  ✓ control plane, with CRDs and webhooks: %s  (%s)", strings.TrimSuffix(d.cluster.Config.Host, "/"), seconds(began))
	began = time.Now()
	if err := d.startOperator(ctx, binary); err != nil {
		return err
	}
	d.screen.say("  ✓ operator, its log is in %s  (%s)", d.logPath(), seconds(began))
	d.screen.say("  ✓ inbox: %s", d.inboxURL)
	d.screen.say("  ✓ broker of MySQL databases: %s", d.brokerURL)
	return nil
}

func (d *demo) startInbox(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	d.inboxURL = "http://" + listener.Addr().String()
	d.secret = inbox.NewSecret()
	d.inbox = inbox.New(inbox.Options{SigningSecret: d.secret, Out: d.screen})

	d.serve(ctx, listener, d.inbox.Serve)
	return nil
}

func (d *demo) startBroker(ctx context.Context) error {
	config := new(net.ListenConfig)
	mysql, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		mysql.Close()
		return err
	}
	d.brokerURL, d.brokerPassword = "http://"+listener.Addr().String(), rand.Text()
	d.broker, err = broker.New(broker.Options{Username: "bellhop", Password: d.brokerPassword, MySQL: mysql, Out: d.screen})
	if err != nil {
		listener.Close()
		return err
	}
	d.serve(ctx, listener, d.broker.Serve)
	return nil
}

// serve has somebody serve until the end: after that of the operator, which may be about to call.
func (d *demo) serve(ctx context.Context, listener net.Listener, serve func(context.Context, net.Listener) error) {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- serve(serving, listener) }()
	d.stops = append(d.stops, func() error { stop(); return <-ended })
}

type built struct {
	path string
	err  error
}

func (d *demo) buildOperator(ctx context.Context) <-chan built {
	ctx, cancel := context.WithCancel(ctx)
	result, ended := make(chan built, 1), make(chan struct{})
	go func() {
		defer close(ended)
		path, err := local.BuildOperator(ctx, d.repo)
		result <- built{path, err}
	}()
	d.stops = append(d.stops, func() error { cancel(); <-ended; return nil })
	return result
}

func (d *demo) startOperator(ctx context.Context, binary <-chan built) error {
	b := <-binary
	if b.err != nil {
		return b.err
	}
	log, err := os.Create(d.logPath())
	if err != nil {
		return err
	}
	d.stops = append([]func() error{log.Close}, d.stops...) // after the operator, which the cluster stops
	d.operator, err = d.cluster.StartOperator(ctx, local.OperatorOptions{
		Binary: b.path, Log: log,
		Args: []string{"--allow-outbound=127.0.0.1"}, // where inbox and broker are; refused by default
	})
	if err != nil {
		return err
	}
	return d.awaitKnowledge(ctx)
}

// awaitKnowledge returns once the operator has read what there is. Before that it answers, too, with warnings of
// what it could not check yet, and they are not what is to be seen here.
func (d *demo) awaitKnowledge(ctx context.Context) error {
	const ask = "kubectl create --dry-run=server -f config/samples/pager_v1beta1_alert.yaml -f " + instanceSample
	deadline := time.After(arrival)
	for {
		out, err := d.shell(ctx, ask)
		if err == nil && !bytes.Contains(out, []byte("still starting")) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-deadline:
			return fmt.Errorf("the operator knows nothing after %s: %s", arrival, bytes.TrimSpace(out))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (d *demo) logPath() string { return filepath.Join(d.dir, "operator.log") }

// kubectlCache keeps what kubectl learns of a cluster that is gone soon out of the user's cache.
func (d *demo) kubectlCache() string { return filepath.Join(d.dir, "kubectl") }

// end stops everything. After a failure it keeps the operator's log, and shows the end of it.
func (d *demo) end(err error) error {
	d.screen.flush()
	log := lastLines(d.logPath(), 15) // before it is about the end
	d.screen.say("\nStopping…")
	failures := []error{err}
	for _, stop := range slices.Backward(d.stops) {
		failures = append(failures, stop())
	}
	err = errors.Join(failures...)
	if log != "" && err != nil && !errors.Is(err, errInterrupted) {
		d.showLog(log, err)
		return errors.Join(err, os.RemoveAll(d.kubectlCache()))
	}
	return errors.Join(err, os.RemoveAll(d.dir))
}

// showLog shows the end of the operator's log, unless the error already has it.
func (d *demo) showLog(log string, err error) {
	if last := log[strings.LastIndex(log, "\n")+1:]; !strings.Contains(err.Error(), last) {
		d.screen.say("\nThe end of the operator's log:\n%s", indent(log))
	}
	d.screen.say("\nThe operator's log is kept: %s", d.logPath())
}
