// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package hostile_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
)

// strangerIP is the address of a Pod without credentials: no API server and no sender has it.
const strangerIP = "127.0.0.66"

const (
	// idleConnections are as many as the operator once took of all clients together.
	idleConnections = 512
	// halfReviews are the connections with a review that does not end, of reviewBytes of which almost all come.
	halfReviews, reviewBytes = 100, 6 << 20
	// conversionBytes are those of a conversion that comes in chunks.
	conversionBytes = 600 << 20
	// manySecrets are the Secrets that one review names.
	manySecrets = 20000
)

// stranger is a client without credentials. Its harmless requests go to a server that reads them and does nothing else, so that what it
// needs itself of the machine's processors is in both runs.
type stranger struct {
	elsewhere string
	review    []byte
}

func newStranger() *stranger {
	GinkgoHelper()
	prompt := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	prompt.Config.ReadHeaderTimeout, prompt.Config.ReadTimeout = 5*time.Second, 10*time.Second // those of the operator: the stranger connects as often
	prompt.StartTLS()
	serve(prompt)
	var from strings.Builder
	for i := range manySecrets {
		fmt.Fprintf(&from, `{"secretKeyRef":{"name":"s%d","key":"k"}},`, i)
	}
	review := fmt.Sprintf(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE","namespace":"default",
"kind":{"group":"servicecatalog.k8s.io","version":"v1beta1","kind":"ServiceBinding"},"resource":{"group":"servicecatalog.k8s.io","version":"v1beta1","resource":"servicebindings"},
"userInfo":{"username":"stranger"},"object":{"apiVersion":"servicecatalog.k8s.io/v1beta1","kind":"ServiceBinding","metadata":{"namespace":"default","name":"b"},
"spec":{"instanceRef":{"name":"i"},"parametersFrom":[%s]}}}}`, strings.TrimSuffix(from.String(), ","))
	return &stranger{elsewhere: prompt.Listener.Addr().String(), review: []byte(review)}
}

// webhooks is the address of the webhooks, or of the server elsewhere.
func (s *stranger) webhooks(isHostile bool) string {
	if !isHostile {
		return s.elsewhere
	}
	return strings.TrimPrefix(env.Cluster.WebhookURL, "https://")
}

func (s *stranger) posts(isHostile bool) string {
	if !isHostile {
		return s.elsewhere
	}
	return listen
}

var strangerDialer = &net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(strangerIP)}}

// newStrangerClient returns a client with connections of its own.
func newStrangerClient() *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DialContext: strangerDialer.DialContext, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // a stranger trusts any server
	}}
}

// post posts a body, and does not care about the answer.
func post(ctx context.Context, c *http.Client, url, authorization string, body io.Reader) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		return
	}
	request.Header.Set("Content-Type", "application/json")
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := c.Do(request)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
}

// hold opens connections, writes a text to each, and holds them until the context ends or they are closed. It opens new ones for those that
// were closed.
func hold(ctx context.Context, address string, n int, write func(io.Writer)) {
	var open sync.WaitGroup
	for range n {
		open.Go(func() {
			for ctx.Err() == nil {
				holdOne(ctx, address, write)
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
				}
			}
		})
	}
	open.Wait()
}

func holdOne(ctx context.Context, address string, write func(io.Writer)) {
	conn, err := (&tls.Dialer{NetDialer: strangerDialer, Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", address) //nolint:gosec // a stranger trusts any server
	if err != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer func() { _ = conn.Close() }()
	if write != nil {
		write(conn)
	}
	_, _ = io.Copy(io.Discard, conn)
}

// S59, P52: connections that send nothing.
func (s *stranger) idle(ctx context.Context, _ int, isHostile bool) {
	var doors sync.WaitGroup
	for _, address := range []string{s.webhooks(isHostile), s.posts(isHostile)} {
		doors.Go(func() { hold(ctx, address, idleConnections, nil) })
	}
	doors.Wait()
}

// S59: reviews whose end does not come.
func (s *stranger) halfReviews(ctx context.Context, _ int, isHostile bool) {
	body := bytes.Repeat([]byte("a"), 64<<10)
	hold(ctx, s.webhooks(isHostile), halfReviews, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "POST /mutate-pager-k8s-co-v1beta1-alert HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", reviewBytes+1)
		for range reviewBytes / len(body) {
			if _, err := w.Write(body); err != nil {
				return
			}
		}
	})
}

// S59: a conversion that does not say how long it is.
func (s *stranger) endlessConversion(ctx context.Context, _ int, isHostile bool) {
	body := io.MultiReader(strings.NewReader(`{"apiVersion":"`), io.LimitReader(readerFunc(repeatLetter), conversionBytes))
	client := newStrangerClient()
	defer client.CloseIdleConnections()
	post(ctx, client, "https://"+s.webhooks(isHostile)+"/convert", "", body)
}

// repeatLetter is a body without an end.
func repeatLetter(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// S60: a review for which the operator would ask the API server about 20,000 Secrets.
func (s *stranger) manySecrets(ctx context.Context, _ int, isHostile bool) {
	client := newStrangerClient()
	defer client.CloseIdleConnections()
	for _, path := range []string{"mutate", "validate"} {
		post(ctx, client, "https://"+s.webhooks(isHostile)+"/"+path+"-servicecatalog-k8s-io-v1beta1-servicebinding", "", bytes.NewReader(s.review))
	}
}

// P52: posts, metrics and probes with wrong tokens, or without any.
func (s *stranger) wrongTokens(ctx context.Context, _ int, isHostile bool) {
	client := newStrangerClient()
	defer client.CloseIdleConnections()
	post(ctx, client, "https://"+s.posts(isHostile)+"/v1/namespaces/default/alertsources/first/api/v2/alerts", "Bearer "+rand.Text(), strings.NewReader("[]"))
	for _, url := range []string{env.Operator.MetricsURL, env.Operator.HealthURL + "/healthz"} {
		if !isHostile {
			url = "https://" + s.elsewhere
		}
		post(ctx, client, url, "", strings.NewReader(strings.Repeat("x", 1<<20)))
	}
}

// trap is a server that no request of the operator may reach.
type trap struct {
	port    string
	reached atomic.Int64
}

// trapIP is a loopback address that --allow-outbound does not list.
const trapIP = "127.0.0.2"

func newTrap(ctx context.Context) *trap {
	GinkgoHelper()
	t := &trap{}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", trapIP+":0")
	if err != nil {
		Fail(err.Error())
	}
	_, t.port, _ = net.SplitHostPort(listener.Addr().String())
	DeferCleanup(listener.Close)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.reached.Add(1)
			_ = conn.Close()
		}
	}()
	return t
}

// urls are addresses of the trap and of metadata servers, in forms that some programs read as such.
func (t *trap) urls() (all []string) {
	for _, host := range []string{"127.0.0.2", "[::ffff:127.0.0.2]", "[::ffff:0:127.0.0.2]", "[64:ff9b::7f00:2]", "１２７.0.0.2", "127。0。0。2", "127.0.0.2.", "127.2", "0x7f000002", "2130706434",
		"0177.0.0.2", "169.254.169.254", "[fd00:ec2::254]", "metadata.google.internal"} {
		all = append(all, "http://"+host+":"+t.port)
	}
	return all
}
