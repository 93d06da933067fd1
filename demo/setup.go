// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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

// A demo has all running parts and their results.
type demo struct {
	screen   *screen
	repo     string
	dir      string // temporary folder
	cluster  *local.Cluster
	operator *local.Operator
	inbox    *inbox.Inbox
	inboxURL string
	secret   string // for the signatures of deliveries
	seen     int    // number of the inbox's messages that were checked

	broker         *broker.Broker
	brokerURL      string
	brokerPassword string
	results        serviceResults // of showService

	ready bool // everything was shown

	cleanups []func() error // in the order in which they were added
}

// startAll starts inbox, broker, control plane and operator.
func (d *demo) startAll(ctx context.Context) (err error) {
	d.screen.printTitle("Bellhop: from kubectl apply to an alert in an inbox, and to a database")
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
	d.screen.printf("  Starting a Kubernetes control plane, and compiling the operator: half a minute to a minute.")
	d.screen.printf("  The first time, the control plane is downloaded, or built in about 6 minutes; it is kept for later runs.")
	binary := d.buildOperator(ctx) // in parallel with the start of the control plane
	began := time.Now()
	d.screen.setActivity("starting the control plane")
	// With a controller manager, namespaces can be deleted.
	if d.cluster, err = local.Start(ctx, local.Options{Repo: d.repo, ControllerManager: true}); err != nil {
		return err
	}
	d.cleanups = append(d.cleanups, d.cluster.Stop)
	d.screen.printf("  ✓ control plane, with CRDs and webhooks: %s  (%s)", strings.TrimSuffix(d.cluster.Config.Host, "/"), formatSecondsSince(began))
	if err := d.writeSettings(); err != nil {
		return err
	}
	began = time.Now()
	d.screen.setActivity("compiling and starting the operator")
	if err := d.startOperator(ctx, binary); err != nil {
		return err
	}
	d.screen.setActivity("")
	d.screen.printf("  ✓ operator, its log is in %s  (%s)", d.logPath(), formatSecondsSince(began))
	d.screen.printf("  ✓ inbox: %s", d.inboxURL)
	d.screen.printf("  ✓ broker of MySQL databases: %s", d.brokerURL)
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

	d.serveUntilStop(ctx, listener, d.inbox.Serve)
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
	d.serveUntilStop(ctx, listener, d.broker.Serve)
	return nil
}

// serveUntilStop serves until stopAll, which stops the operator first, since the operator sends requests to the server.
func (d *demo) serveUntilStop(ctx context.Context, listener net.Listener, serve func(context.Context, net.Listener) error) {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- serve(serving, listener) }()
	d.cleanups = append(d.cleanups, func() error { stop(); return <-ended })
}

type buildResult struct {
	path string
	err  error
}

func (d *demo) buildOperator(ctx context.Context) <-chan buildResult {
	ctx, cancel := context.WithCancel(ctx)
	result, ended := make(chan buildResult, 1), make(chan struct{})
	go func() {
		defer close(ended)
		path, err := local.BuildOperator(ctx, d.repo)
		result <- buildResult{path, err}
	}()
	d.cleanups = append(d.cleanups, func() error { cancel(); <-ended; return nil })
	return result
}

func (d *demo) startOperator(ctx context.Context, binary <-chan buildResult) error {
	b := <-binary
	if b.err != nil {
		return b.err
	}
	log, err := os.Create(d.logPath())
	if err != nil {
		return err
	}
	d.cleanups = append([]func() error{log.Close}, d.cleanups...) // closed after the operator has stopped, which the cluster does
	d.operator, err = d.cluster.StartOperator(ctx, local.OperatorOptions{
		Binary: b.path, Log: log,
		Args: []string{"--allow-outbound=127.0.0.1"}, // the operator refuses loopback addresses by default, which inbox and broker have
	})
	if err != nil {
		return err
	}
	return d.waitForAdmission(ctx)
}

// waitForAdmission returns once the caches of the webhooks are filled. Before that, admission accepts manifests with warnings about
// what it could not check, which would confuse the audience.
func (d *demo) waitForAdmission(ctx context.Context) error {
	const dryRun = "kubectl create --dry-run=server -f config/samples/pager_v1beta1_alert.yaml -f " + instanceSample
	deadline := time.After(deliveryTimeout)
	for {
		out, err := d.runShell(ctx, dryRun)
		if err == nil && !bytes.Contains(out, []byte("still starting")) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-deadline:
			return fmt.Errorf("the caches of the webhooks are not filled after %s: %s", deliveryTimeout, bytes.TrimSpace(out))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (d *demo) logPath() string { return filepath.Join(d.dir, "operator.log") }

// stopAll stops everything. After an error it keeps the operator's log, and prints the end of it.
func (d *demo) stopAll(err error) error {
	d.screen.flush()
	log := lastLines(d.logPath(), 15) // before the operator logs that it stops
	d.screen.printf("\nStopping…")
	d.screen.setActivity("stopping")
	defer d.screen.setActivity("")
	failures := []error{err}
	for _, stop := range slices.Backward(d.cleanups) {
		failures = append(failures, stop())
	}
	err = errors.Join(failures...)
	if log != "" && err != nil && !errors.Is(err, errInterrupted) {
		d.showLog(log, err)
		return errors.Join(err, os.RemoveAll(filepath.Join(d.dir, "kubectl")), os.RemoveAll(filepath.Join(d.dir, "use-cluster")))
	}
	return errors.Join(err, os.RemoveAll(d.dir))
}

// showLog prints the end of the operator's log, unless the error has it already.
func (d *demo) showLog(log string, err error) {
	if last := log[strings.LastIndex(log, "\n")+1:]; !strings.Contains(err.Error(), last) {
		d.screen.printf("\nThe end of the operator's log:\n%s", indent(log))
	}
	d.screen.printf("\nThe operator's log is kept: %s", d.logPath())
}
