// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// Address is where a Tunnel listens.
const Address = "127.0.0.1"

// Tunnel forwards connections to a local port of this machine to a Pod.
type Tunnel struct {
	// LocalPort is the port of Address.
	LocalPort int

	target *Target
	close  context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	last error // the last error of a connection
	err  error // why the tunnel ended
}

// Open opens a tunnel to a target. A local port of 0 is a free one. The tunnel stays open when the context ends, until Close.
func Open(ctx context.Context, config *rest.Config, core coreclient.CoreV1Interface, target *Target, localPort int) (*Tunnel, error) {
	if err := checkPort(ctx, localPort); err != nil {
		return nil, err
	}
	location := core.RESTClient().Post().Resource("pods").Namespace(target.Namespace).Name(target.Pod).SubResource("portforward").URL()
	d, err := newDialer(config, location)
	if err != nil {
		return nil, err
	}
	t, err := open(ctx, d, target, localPort)
	if apierrors.IsForbidden(err) {
		return nil, cli.WithHint(err, "an administrator can allow to connect to Pods, by a RoleBinding and this Role: "+
			"kubectl create role NAME --verb=get,create --resource=pods/portforward --namespace=%s", target.Namespace)
	}
	if err != nil {
		return nil, err
	}
	go t.watchPod(context.WithoutCancel(ctx), core)
	return t, nil
}

// checkPort finds out whether a local port can be listened on, before any request to the cluster.
func checkPort(ctx context.Context, port int) error {
	if port == 0 {
		return nil
	}
	config := net.ListenConfig{}
	listener, err := config.Listen(ctx, "tcp4", fmt.Sprintf("%s:%d", Address, port))
	if err != nil {
		if failed, ok := errors.AsType[*net.OpError](err); ok {
			err = failed.Err
		}
		return cli.WithHint(fmt.Errorf("port %d of this machine cannot be listened on: %w", port, err), "without --port it is a free one")
	}
	return listener.Close()
}

// dialer opens the stream to a Pod by a WebSocket, and by SPDY where the API server or a proxy does not understand that, as kubectl does.
type dialer struct {
	webSocket, spdy httpstream.Dialer
	// err is the error of the last Dial, which the port forwarder returns as a text only.
	err error
}

func newDialer(config *rest.Config, location *url.URL) (*dialer, error) {
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	webSocket, err := portforward.NewSPDYOverWebsocketDialerForStreaming(location, config)
	if err != nil {
		return nil, err
	}
	return &dialer{webSocket: webSocket, spdy: spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, location)}, nil
}

// Dial opens the stream. A Role may allow the verb of one protocol only, get or create, so that a refusal is no reason to stop.
func (d *dialer) Dial(protocols ...string) (httpstream.Connection, string, error) {
	connection, protocol, err := d.webSocket.Dial(protocols...)
	if httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err) {
		var upgrade *httpstream.UpgradeFailureError
		var status apierrors.APIStatus
		isStatus := errors.As(err, &upgrade) && errors.As(upgrade.Cause, &status)
		connection, protocol, err = d.spdy.Dial(protocols...)
		if err != nil && isStatus { // SPDY has the same as a text
			err = upgrade.Cause
		}
	}
	d.err = err
	return connection, protocol, err
}

// open starts to forward, and returns once the local port is listened on.
func open(ctx context.Context, d *dialer, target *Target, localPort int) (*Tunnel, error) {
	forwarding, cancel := context.WithCancel(context.WithoutCancel(ctx))
	t := &Tunnel{target: target, close: cancel, done: make(chan struct{})}
	utilruntime.ErrorHandlers = []utilruntime.ErrorHandler{t.recordError} // else errors of connections are logged with places in the source
	var problems bytes.Buffer
	ready := make(chan struct{})
	forwarder, err := portforward.NewOnAddressesForStreamingWithContext(forwarding, d, []string{Address},
		[]string{fmt.Sprintf("%d:%d", localPort, target.Port)}, ready, nil, &problems)
	if err != nil {
		cancel()
		return nil, err
	}
	go func() {
		t.end(forwarder.ForwardPorts())
	}()
	select {
	case <-ctx.Done():
		cancel()
		return nil, ctx.Err()
	case <-t.done:
		cancel()
		return nil, t.openError(d, problems.String())
	case <-ready:
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		cancel()
		return nil, err
	}
	t.LocalPort = int(ports[0].Local)
	return t, nil
}

// openError is why a tunnel could not be opened.
func (t *Tunnel) openError(d *dialer, problems string) error {
	var status apierrors.APIStatus
	switch {
	case errors.As(d.err, &status):
		return d.err
	case d.err != nil:
		return fmt.Errorf("connecting to Pod %s/%s: %w", t.target.Namespace, t.target.Pod, d.err)
	case problems != "":
		return errors.New(strings.TrimSpace(problems))
	default:
		return t.err
	}
}

// recordError keeps an error of a connection. Where it is of the Pod, the tunnel ends after it.
func (t *Tunnel) recordError(_ context.Context, err error, message string, _ ...any) {
	if err == nil {
		err = errors.New(message)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = err
}

// end records why a tunnel ended; the first reason counts.
func (t *Tunnel) end(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.done:
		return
	default:
	}
	if errors.Is(err, portforward.ErrLostConnectionToPod) {
		err = t.lost(t.last)
	}
	t.err = err
	close(t.done)
	t.close()
}

// lost is the error of a tunnel that did not end by Close.
func (t *Tunnel) lost(cause error) error {
	err := fmt.Errorf("the connection to Pod %s/%s was lost", t.target.Namespace, t.target.Pod)
	if cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return cli.WithHint(err, "run the command again to connect to a Pod that runs")
}

// watchPod ends the tunnel when its Pod ends. The API server keeps the stream to a Pod that does not exist any more until the next
// connection. A user who may not watch Pods learns of it by then.
func (t *Tunnel) watchPod(ctx context.Context, core coreclient.CoreV1Interface) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		<-t.done
		cancel()
	}()
	var uid string
	_ = cli.WatchObject[*corev1.Pod, *corev1.PodList](ctx, core.Pods(t.target.Namespace), t.target.Pod, func(pod *corev1.Pod, exists bool) (bool, error) {
		if exists && uid == "" {
			uid = string(pod.UID)
		}
		switch {
		case !exists || string(pod.UID) != uid:
			t.end(t.lost(errors.New("the Pod was deleted")))
			return true, nil
		case pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed:
			t.end(t.lost(errors.New("the Pod has ended")))
			return true, nil
		}
		return false, nil
	})
}

// Done is closed when the tunnel has ended.
func (t *Tunnel) Done() <-chan struct{} { return t.done }

// Err is why a tunnel ended, nil after Close.
func (t *Tunnel) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Close ends the tunnel, and waits for that.
func (t *Tunnel) Close() {
	t.close()
	<-t.done
}
